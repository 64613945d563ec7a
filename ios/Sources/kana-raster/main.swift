// kana-raster OUT [FORMAT] < DRAWINGS: a picture of each drawing, for tests off the device.
//
// DRAWINGS: JSON lines, each a drawing (`width`, `height`, `strokes`, perhaps `pen`). OUT: a folder that exists; the
// drawings become 0000.pgm, 0001.pgm … FORMAT: pgm (default) or png. Exits 2 with one line for what cannot be drawn.
import Foundation
import KanaInk

func fail(_ text: String) -> Never {
    FileHandle.standardError.write(Data("kana-raster: \(text)\n".utf8))
    exit(2)
}

let arguments = CommandLine.arguments.dropFirst()
guard let out = arguments.first, arguments.count <= 2 else { fail("usage: kana-raster OUT [pgm|png] < DRAWINGS") }
let format = arguments.dropFirst().first ?? "pgm"
guard ["pgm", "png"].contains(format) else { fail("the format is pgm or png, not \(format)") }

var number = 0
var decoder = JSONDecoder()
while let line = readLine() {
    let name = String(repeating: "0", count: max(4 - "\(number)".count, 0)) + "\(number).\(format)"
    do {
        let picture = Rasterizer.picture(of: try decoder.decode(Drawing.self, from: Data(line.utf8)))
        let bytes = format == "png" ? picture.png : picture.pgm
        try Data(bytes).write(to: URL(fileURLWithPath: out).appendingPathComponent(name))
    } catch {
        fail("line \(number + 1): \(error)")
    }
    number += 1
}
