/// Pillow's resampling of grey pictures: a row pass, then a column pass, each in fixed point and rounded to a byte.
///
/// The same to the last bit, since the level of the paper (`Photograph.whitened`) is sensitive to a single one.
/// Source: libImaging/Resample.c of Pillow.
enum Resampling {
    case box, triangle, cubic

    private static let precision = 22

    /// How far the filter reaches, in pixels of the smaller picture.
    private var support: Double {
        switch self {
        case .box: return 0.5
        case .triangle: return 1
        case .cubic: return 2
        }
    }

    private func weight(_ x: Double) -> Double {
        let t = abs(x)
        switch self {
        case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
        case .triangle: return max(1 - t, 0)
        case .cubic:
            let a = -0.5
            if t < 1 { return ((a + 2) * t - (a + 3)) * t * t + 1 }
            return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0
        }
    }

    /// For each pixel of the new line: the first old pixel that counts, and the weights from there, in 2⁻²².
    private func weights(_ oldLength: Int, _ newLength: Int) -> [(first: Int, weights: [Int])] {
        let scale = Double(oldLength) / Double(newLength)
        let reach = support * max(scale, 1)
        let narrowed = 1 / max(scale, 1)
        return (0..<newLength).map { position in
            let centre = (Double(position) + 0.5) * scale
            let first = max(Int(centre - reach + 0.5), 0)
            let last = min(Int(centre + reach + 0.5), oldLength)
            let values = (first..<last).map { weight((Double($0) - centre + 0.5) * narrowed) }
            let sum = values.reduce(0, +)
            return (
                first,
                values.map { value in
                    let product = value / sum * Double(1 << Self.precision)
                    return Int(product < 0 ? product - 0.5 : product + 0.5)
                }
            )
        }
    }

    /// `pixels`: height × width, rows from the top. The result: `newHeight` × `newWidth`.
    func resized(_ pixels: [UInt8], width: Int, height: Int, newWidth: Int, newHeight: Int) -> [UInt8] {
        let rows = pass(pixels, lines: height, length: width, step: 1, jump: width, newLength: newWidth)
        return pass(rows, lines: newWidth, length: height, step: newWidth, jump: 1, newLength: newHeight)
    }

    /// Lines of `length` pixels that lie `step` apart, each line `jump` after the last; the result lies the same way.
    private func pass(_ pixels: [UInt8], lines: Int, length: Int, step: Int, jump: Int, newLength: Int) -> [UInt8] {
        guard length != newLength else { return pixels }
        let table = weights(length, newLength)
        let newJump = step == 1 ? newLength : 1
        var out = [UInt8](repeating: 0, count: lines * newLength)
        pixels.withUnsafeBufferPointer { source in
            for (position, (first, weights)) in table.enumerated() {
                for line in 0..<lines {
                    var sum = 1 << (Self.precision - 1)
                    var index = line * jump + first * step
                    for weight in weights {
                        sum += Int(source[index]) * weight
                        index += step
                    }
                    out[line * newJump + position * step] = UInt8(min(max(sum >> Self.precision, 0), 255))
                }
            }
        }
        return out
    }
}
