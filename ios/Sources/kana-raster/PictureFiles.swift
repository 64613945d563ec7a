/// Pictures as files, without a library: PGM, and PNG with stored (not compressed) blocks.
import KanaInk

extension Picture {
    /// A binary PGM: greyscale, 8 bits.
    public var pgm: [UInt8] { Array("P5\n\(side) \(side)\n255\n".utf8) + pixels }

    /// A PNG: greyscale, 8 bits. Source: RFC 2083 (PNG), RFC 1950 (zlib), RFC 1951 (deflate).
    public var png: [UInt8] {
        let size = Self.bigEndian(UInt32(side))
        let header = size + size + [8, 0, 0, 0, 0]
        var rows: [UInt8] = []
        for row in 0..<side {
            rows.append(0)  // no filter
            rows += pixels[(row * side)..<((row + 1) * side)]
        }
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
            + Self.chunk("IHDR", header) + Self.chunk("IDAT", Self.stored(rows)) + Self.chunk("IEND", [])
    }

    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        let most = 65_535
        var out: [UInt8] = [0x78, 0x01]
        for start in stride(from: 0, to: bytes.count, by: most) {
            let end = min(start + most, bytes.count)
            let length = UInt16(end - start)
            out.append(end == bytes.count ? 1 : 0)
            for value in [length, ~length] { out += [UInt8(value & 255), UInt8(value >> 8)] }
            out += bytes[start..<end]
        }
        var a: UInt32 = 1
        var b: UInt32 = 0
        for byte in bytes {  // Adler-32
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return out + bigEndian(b << 16 | a)
    }

    private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + data
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in body {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return bigEndian(UInt32(data.count)) + body + bigEndian(~crc)
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }
}
