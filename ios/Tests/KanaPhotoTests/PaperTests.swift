import Foundation
import KanaInk
import Testing

@testable import KanaPhoto

/// 128 × 128: a cross of ink (`ink` of 255) on paper whose level is given for each pixel.
private func photograph(ink: Int = 40, paper: (Int, Int) -> Int) throws -> Photograph {
    let pixels = (0..<(128 * 128)).map { k in UInt8(isInk(k) ? ink : paper(k / 128, k % 128)) }
    return try Photograph(width: 128, height: 128, pixels: pixels)
}

private func isInk(_ k: Int) -> Bool {
    let (row, column) = (k / 128, k % 128)
    return (60..<66).contains(row) && (30..<100).contains(column)
        || (60..<66).contains(column) && (30..<100).contains(row)
}

private func mean(_ photograph: Photograph, ink: Bool) -> Double {
    let chosen = photograph.pixels.indices.filter { isInk($0) == ink }.map { Double(photograph.pixels[$0]) }
    return chosen.reduce(0, +) / Double(chosen.count)
}

@Suite struct PaperTests {
    @Test func aDrawingOnWhiteOrBlackStaysAsItIs() throws {
        for (ink, paper) in [(0, 255), (255, 0)] {
            let drawn = try photograph(ink: ink) { _, _ in paper }
            #expect(drawn.whitened == (try photograph(ink: 0) { _, _ in 255 }))
        }
    }

    @Test func evenGreyBecomesWhiteAndABlackboardIsTurnedRound() throws {
        for (ink, paper) in [(50, 200), (180, 60)] {
            let white = try photograph(ink: ink) { _, _ in paper }.whitened
            #expect(white.pixels.indices.allSatisfy { white.pixels[$0] == (isInk($0) ? 0 : 255) })
        }
    }

    @Test func blackBarsToTheRightAndBelowAreNoInk() throws {
        for level in [255, 235] {
            let barred = try photograph { row, column in row >= 104 || column >= 112 ? 20 : level }.whitened
            #expect(barred.pixels.indices.allSatisfy { (barred.pixels[$0] < 128) == isInk($0) })
        }
    }

    @Test func aThickWhiteCharacterIsNoSheetBesideABlackBar() throws {
        let cross: [Bool] = (0..<(120 * 134)).map { place in
            let (row, column) = (place / 134, place % 134)
            return column < 120 && (abs(row - 60) < 20 || abs(column - 60) < 20)
        }
        let read = try Photograph(width: 134, height: 120, pixels: cross.map { $0 ? 255 : 0 }).whitened
        #expect(read.pixels == cross.map { $0 ? 0 : 255 })
    }

    @Test func shadeRulesAndGrainAreNoInk() throws {
        let shaded = try photograph { row, column in
            let light = row + column > 128 ? 130 : 220
            return (row % 16 == 0 ? light * 85 / 100 : light) + (row * 7 + column * 13) % 9
        }
        #expect(mean(shaded, ink: false) < 200)
        #expect(mean(shaded.whitened, ink: false) > 248 && mean(shaded.whitened, ink: true) < 40)
    }

    @Test func paperWithoutInkIsBlank() throws {
        let empty = try Photograph(width: 40, height: 30, pixels: (0..<1200).map { UInt8(180 + $0 % 10) })
        #expect(empty.whitened.pixels.allSatisfy { $0 == 255 })
        #expect(empty.picture().pixels.allSatisfy { $0 == 255 })
    }

    @Test func whatIsDrawnOnNothingIsInk() {
        for level in [UInt8(0), 120, 255] {
            let grey = [255, level, level, 255, 255, 255, 255, 255, 255]
            let alpha: [UInt8] = [0, 255, 255, 0, 0, 0, 0, 0, 0]
            #expect(Photograph(3, 3, grey: grey, alpha: alpha).pixels == alpha.map { 255 - $0 })
        }
        let faint: [UInt8] = [0, 90, 90, 0, 0, 0, 0, 0, 0]
        let white = [UInt8](repeating: 250, count: 9)
        #expect(Photograph(3, 3, grey: white, alpha: faint).pixels == faint.map { 255 - $0 })
        let sheet: [UInt8] = [255, 230, 230, 255, 255, 255, 255, 255, 255]
        #expect(Photograph(3, 3, grey: sheet, alpha: [UInt8](repeating: 25, count: 9)).pixels == sheet)
    }

    @Test func theLeastPicturesHaveAnAnswer() throws {
        for (width, height) in [(1, 1), (2, 1), (1, 16), (3, 5)] {
            let count = width * height
            let least = try Photograph(width: width, height: height, pixels: (0..<count).map { UInt8($0 * 50 % 256) })
            #expect(least.whitened.pixels.count == count && least.picture(side: 8).pixels.count == 64)
        }
    }

    @Test func itIsMadeSquareWithItsEdge() throws {
        var pixels = [UInt8](repeating: 200, count: 40 * 20)
        for row in 10..<30 { for column in 9..<11 { pixels[row * 20 + column] = 30 } }
        let picture = try Photograph(width: 20, height: 40, pixels: pixels).picture(side: 40)
        #expect(picture.pixels[0] == 255 && picture.pixels[20 * 40 + 20] == 0)
        #expect(picture.pixels.filter { $0 == 0 }.count == 40)
    }

    @Test func otherSizesAreErrors() {
        for (width, height) in [(0, 5), (12_001, 12_001), (101, 1), (-1, 1)] {
            #expect(throws: PhotographError.size(width: width, height: height)) {
                try Photograph(width: width, height: height, pixels: [])
            }
        }
        #expect(throws: PhotographError.bytes(expected: 4, found: 3)) {
            try Photograph(width: 2, height: 2, pixels: [1, 2, 3])
        }
    }
}

private let cases = ProcessInfo.processInfo.environment["KANA_CASES"]

/// A photograph with what Python's `find_ink` and `read_picture` make of it; bytes in base 64.
private struct Paper: Decodable {
    let name, fault: String
    let width, height: Int
    let pixels, whitened, picture: Data
}

private func apart(_ a: [UInt8], _ b: Data) -> Int {
    a.count == b.count ? zip(a, b).map { abs(Int($0) - Int($1)) }.max() ?? 0 : 255
}

@Suite(.enabled(if: cases != nil, "tests/test_ios.py gives them")) struct PythonsPaperTests {
    @Test func papersAreThoseOfPython() throws {
        let papers = try JSONDecoder().decode(
            [Paper].self, from: Data(contentsOf: URL(fileURLWithPath: "\(cases ?? "")/papers.json")))
        #expect(papers.count >= 20)
        for paper in papers {
            let given = try Photograph(width: paper.width, height: paper.height, pixels: Array(paper.pixels))
            #expect(apart(given.whitened.pixels, paper.whitened) == 0, "\(paper.name)")
            #expect(given.fault?.rawValue ?? "" == paper.fault, "\(paper.name)")
            #expect(apart(given.picture().pixels, paper.picture) == 0, "\(paper.name)")
        }
    }
}
