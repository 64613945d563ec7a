import Foundation
import Testing

@testable import KanaInk

private func stroke(_ points: (Double, Double)...) -> Stroke { Stroke(points.map { InkPoint(x: $0.0, y: $0.1) }) }

@Suite struct EditorTests {
    private func drawn(_ count: Int) -> DrawingEditor {
        var editor = DrawingEditor()
        for k in 0..<count {
            editor.begin(InkPoint(x: Double(k), y: 0))
            editor.extend(InkPoint(x: Double(k), y: 5))
            editor.end()
        }
        return editor
    }

    @Test func undoAndRedoGoBackAndForth() {
        var editor = drawn(3)
        let before = editor.strokes
        #expect(editor.undo() && editor.strokes.count == 2)
        #expect(editor.redo() && editor.strokes == before)
        #expect(editor.redo() == false)
        for _ in 0..<3 { #expect(editor.undo() == true) }
        #expect(!editor.undo() && editor.isEmpty && editor.canRedo && !editor.canUndo)
    }

    @Test func aNewStrokeForgetsWhatWasUndone() {
        var editor = drawn(2)
        editor.undo()
        editor.begin(InkPoint(x: 9, y: 9))
        editor.end()
        #expect(!editor.canRedo && editor.strokes.count == 2)
    }

    @Test func clearingIsUndone() {
        var editor = drawn(2)
        #expect(editor.clear() && editor.isEmpty && !editor.clear())
        #expect(editor.undo() && editor.strokes.count == 2)
    }

    @Test func undoDuringAStrokeTakesThatStroke() {
        var editor = drawn(1)
        editor.begin(InkPoint(x: 1, y: 1))
        #expect(editor.isDrawing && editor.all.count == 2)
        #expect(editor.undo() && editor.strokes.count == 1 && !editor.isDrawing)
        #expect(editor.end() == false)
    }

    @Test func aTapIsOnePointAndCancelLeavesNone() {
        var editor = DrawingEditor()
        editor.begin(InkPoint(x: 3, y: 4))
        editor.extend(InkPoint(x: 3, y: 4))
        editor.end()
        #expect(editor.strokes == [stroke((3, 4))])
        editor.begin(InkPoint(x: 1, y: 1))
        editor.cancel()
        #expect(editor.strokes.count == 1)
        editor.extend(InkPoint(x: 2, y: 2))
        #expect(editor.strokes.count == 1)
    }

    @Test func noMoreThanTheMostPointsAreKept() throws {
        var editor = DrawingEditor()
        editor.begin(InkPoint(x: 0, y: 0))
        for k in 0..<(Drawing.maxPoints + 50) { editor.extend(InkPoint(x: Double(k % 2) + 1, y: 0)) }
        editor.end()
        editor.begin(InkPoint(x: 0, y: 0))
        #expect(!editor.isDrawing)
        _ = try editor.drawing(width: 10, height: 10)
    }

    @Test func turningThePhoneKeepsTheCharacter() throws {
        var editor = drawn(3)
        editor.undo()
        editor.scale(by: 2)
        #expect(editor.strokes[1].x == [2, 2] && editor.strokes[1].y == [0, 10])
        editor.redo()
        #expect(editor.strokes[2].x == [4, 4])
    }
}

@Suite struct DrawingTests {
    @Test func numbersOutOfRangeAreRefused() throws {
        for (width, height, pen, x) in [
            (0, 10, 0.05, 1), (10, .nan, 0.05, 1), (.infinity, 10, 0.05, 1), (10, 10, 0, 1), (10, 10, 0.05, .nan),
            (10, 10, 0.05, 1_000), (10, 10, 0.05, -.infinity), (10, 10, 0.6, 1),
        ] as [(Double, Double, Double, Double)] {
            #expect(throws: DrawingError.self) {
                try Drawing(width: width, height: height, strokes: [stroke((x, 1))], pen: pen)
            }
        }
    }

    @Test func aViewWithoutSizeIsNoCrash() {
        var editor = DrawingEditor()
        editor.begin(InkPoint(x: 0, y: 0))
        #expect(throws: DrawingError.self) { try editor.drawing(width: 0, height: 0) }
    }

    @Test func columnsOfOtherLengthsAreRefused() {
        let text = #"{"width":10,"height":10,"strokes":[{"x":[1,2],"y":[1]}]}"#
        #expect(throws: DrawingError.self) { try JSONDecoder().decode(Drawing.self, from: Data(text.utf8)) }
    }

    @Test func pressureIsKeptOnlyWhereAllPointsHaveIt() {
        var known = Stroke([InkPoint(x: 0, y: 0, pressure: 0.25, time: 1)])
        known.append(InkPoint(x: 1, y: 1, pressure: 0.5, time: 2))
        #expect(known.pressure == [0.25, 0.5] && known.time == [1, 2])
        known.append(InkPoint(x: 2, y: 2, time: 3))
        #expect(known.pressure == nil && known.time == [1, 2, 3])
        known.append(InkPoint(x: 3, y: 3, pressure: 1))
        #expect(known.pressure == nil && known.time == nil && known.count == 4)
    }

    @Test func jsonGoesThereAndBack() throws {
        let drawing = try Drawing(
            width: 10, height: 20, strokes: [Stroke([InkPoint(x: 1, y: 2, pressure: 0.5, time: 0)]), stroke((3, 4))])
        let again = try JSONDecoder().decode(Drawing.self, from: JSONEncoder().encode(drawing))
        #expect(again == drawing)
    }
}

@Suite struct PictureTests {
    private let picture = Picture(side: 3, pixels: [1, 2, 3, 4, 5, 6, 7, 8, 9])

    @Test func rowsMayBeLongerThanThePicture() throws {
        var memory = [UInt8](repeating: 0xEE, count: 3 * 8)
        try memory.withUnsafeMutableBytes { try picture.copyRows(to: $0, bytesPerRow: 8) }
        #expect(
            memory == [1, 2, 3] + [UInt8](repeating: 0xEE, count: 5) + [4, 5, 6] + [UInt8](repeating: 0xEE, count: 5)
                + [7, 8, 9] + [UInt8](repeating: 0xEE, count: 5))
    }

    @Test func memoryThatIsTooSmallIsRefused() {
        var memory = [UInt8](repeating: 0, count: 10)
        #expect(throws: PictureError.shortRows(expected: 3, found: 2)) {
            try memory.withUnsafeMutableBytes { try picture.copyRows(to: $0, bytesPerRow: 2) }
        }
        #expect(throws: PictureError.smallMemory(expected: 11, found: 10)) {
            try memory.withUnsafeMutableBytes { try picture.copyRows(to: $0, bytesPerRow: 4) }
        }
    }
}
