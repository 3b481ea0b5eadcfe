//! Small pictures of every kind that is read, for tests.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A picture without two pixels alike.
pub(super) fn colourful(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 37 + y * 11) as u8, (x * 9) as u8, (y * y * 5 + x) as u8]))
}

pub(super) fn written(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The kinds that keep levels as they are.
pub(super) const LOSSLESS: [ImageFormat; 7] = [
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Gif,
    ImageFormat::Qoi,
    ImageFormat::Pnm,
];

/// A file of each kind and of what a kind can be.
pub(super) fn every_kind() -> Vec<(String, Vec<u8>)> {
    let picture = colourful(13, 9);
    let mut kinds: Vec<(String, Vec<u8>)> = LOSSLESS
        .into_iter()
        .chain([ImageFormat::Jpeg])
        .map(|format| (format!("{format:?}"), written(picture.clone(), format)))
        .collect();
    let made = [
        ("a progressive JPEG", PROGRESSIVE),
        ("a JPEG with restarts", RESTARTS),
        ("a lossy WebP", LOSSY),
        ("a turned WebP", TURNED),
        ("a WebP that moves", MOVING),
        ("a TIFF by LZW", LZW),
        ("a TIFF by deflate", DEFLATED),
        ("a fax", FAX),
    ];
    kinds.extend(made.map(|(name, digits)| (name.to_owned(), bytes(digits))));
    kinds.push(("a turned JPEG".into(), turned_jpeg()));
    kinds.push(("runs in a BMP".into(), runs_in_a_bmp()));
    kinds.push(("a PNM in text".into(), b"P3\n# grey\n2 2\n255\n1 2 3 40 50 60\n7 8 9 100 110 25\n".to_vec()));
    kinds.push(("bits in text".into(), b"P1\n3 2\n1 0 1\n0 1 0\n".to_vec()));
    kinds.push(("a PAM".into(), b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabcdef".to_vec()));
    kinds
}

/// A JPEG of 13×9 that a camera has turned by a quarter.
pub(super) fn turned_jpeg() -> Vec<u8> {
    // Big-endian TIFF of one entry: tag 0x0112, a short, 6.
    let entry = [0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    let exif = [&b"Exif\0\0MM\0\x2a\0\0\0\x08"[..], &entry].concat();
    with_segment(0xe1, &exif)
}

/// A JPEG of 13×9 with a segment of this content right behind its start.
pub(super) fn with_segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let jpeg = written(colourful(13, 9), ImageFormat::Jpeg);
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, content, &jpeg[2..]].concat()
}

/// A BMP of 8×3, 8 bits by runs, whose last row is left to be black.
fn runs_in_a_bmp() -> Vec<u8> {
    let palette = [[0, 0, 0, 0], [9, 8, 7, 0], [200, 100, 50, 0]].concat();
    let runs = [8, 1, 0, 0, 0, 4, 2, 1, 2, 1, 4, 2, 0, 1];
    let offset = 14 + 40 + palette.len() as u32;
    let mut bytes = b"BM".to_vec();
    for number in [offset + runs.len() as u32, 0, offset, 40, 8, 3, 1 | 8 << 16, 1, runs.len() as u32, 0, 0, 3, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(palette);
    bytes.extend(runs);
    bytes
}

/// Hexadecimal digits as bytes.
pub(super) fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// 24×16, grey, in six scans.
pub(super) const PROGRESSIVE: &str = "ffd8ffe000104a46494600010100000100010000ffdb0043003525282f2821352f2b2f3c39353f50\
855750494950a3757b6185c1aacbc8beaabab7d5f0ffffd5e2ffe6b7baffffffffffffffffffceffffffffffffffffffffffc2000b080010001801\
011100ffc4001500010100000000000000000000000000000002ffda0008010100000001928fffc400181000030101000000000000000000000000\
1121411012ffda0008010100010502e50432dfffc40014100100000000000000000000000000000020ffda0008010100063f025fffc4001a100003\
0100030000000000000000000000000111213151b1ffda0008010100013f21505cc668d3154398b06ac744bcfc3fffda00080101000000101fffc4\
001d10010002020203000000000000000000000100112131415161d1f0ffda0008010100013f1044c6ca95690ad2ca9e7370e9764f9842300e03dc\
2e6546351fffd9";
/// 24×16, grey, a restart marker after each block.
pub(super) const RESTARTS: &str = "ffd8ffe000104a46494600010100000100010000ffdb0043003525282f2821352f2b2f3c39353f50855\
750494950a3757b6185c1aacbc8beaabab7d5f0ffffd5e2ffe6b7baffffffffffffffffffceffffffffffffffffffffffc0000b080010001801011\
100ffc4001500010100000000000000000000000000000103ffc400211000020103040301000000000000000000010200031131122122510441d1f\
0ffdd00040001ffda0008010100003f009af8e5689db22d3fffd09bd1d148292a0b1c133fffd19bd35b226a5ef33fffd25c2f05b2f647e33fffd35\
d43550a360a3d01f67fffd4426aac791b0db0b3ffd9";
/// 24×16, grey.
pub(super) const LOSSY: &str = "524946467a00000057454250565038206e0000007003009d012a180010003f99b6d15db92f2a24b0080320\
33096900001847188c0b7ac18000fea9965c8990783c54e665d8b209db69448ebbadf3c1bfb3a14724e3a9b03dc59f1638705e899c5f887e3dcaa5\
1b21f092a32e215efc7ef79e4d03d9c0efa1be907d0c49e92b100000";
/// 6×4, grey.
pub(super) const LZW: &str = "49492a00260000008000026261c930be080d8b8825433854503b27184e8271d134c073434040090000010300\
0100000006000000010103000100000004000000020103000100000008000000030103000100000005000000060103000100000001000000110104\
00010000000800000016010300010000000400000017010400010000001e0000001c010300010000000100000000000000";
/// 6×4, grey.
pub(super) const DEFLATED: &str = "49492a0028000000789c631056b3f489e790d6730c4917d5b0f64b2c51b7f24d286e03003d58060d090\
0000103000100000006000000010103000100000004000000020103000100000008000000030103000100000008000000060103000100000001000\
0001101040001000000080000001601030001000000040000001701040001000000200000001c010300010000000100000000000000";
/// 6×4, grey, 32-bit floating point.
pub(super) const FLOATS: &str = "49492a00080000000a0000010400010000000600000001010400010000000400000002010300010000002\
0000000030103000100000001000000060103000100000001000000110104000100000086000000160104000100000004000000170104000100000\
0600000001c01030001000000010000005301030001000000030000000000000000000000000098410000184200006442000098420000be4200000\
0410000d84100003842000082420000a8420000ce420000a8410000204200006c4200009c420000c2420000e84200001c420000684200009a42000\
0c0420000e64200000643";
/// 6×4, black and white, as in faxes (group 4).
pub(super) const FAX: &str = "49492a001200000050826d410249400400400900000103000100000006000000010103000100000004000000\
0201030001000000010000000301030001000000040000000601030001000000010000001101040001000000080000001601030001000000040000\
0017010400010000000a0000001c010300010000000100000000000000";
/// 6×4, turned by a quarter.
pub(super) const TURNED: &str = "524946465e00000057454250565038580a000000080000000500000300005650384c1d0000002f05c0000\
0cd6544ff038ada3662eeb9377fb45710113101749f41800500455849461a0000004d4d002a0000000800010112000300000001000600000000000\
0";
/// 6×4, two frames.
pub(super) const MOVING: &str = "524946460801000057454250565038580a00000002000000050000030000414e494d06000000000000000\
000414e4d466a000000000000000000050000030000000000025650384c520000002f05c00000bfa0a86d23a6b7e7ebf8f33d0a6adbb66153767a9\
ba2b66d1b3665a7b729f35f0400b3caec62111e6176118948cff70e91ee1f14b66da4a68eef9921a2ff01a4b14e9450c661cf7d3f4b6ddd0f414e4\
d466a000000000000000000050000030000000000005650384c520000002f05c00000bfa0a86d23a6b7e7ebf8f33d0a6adbb66153767a9ba2b66d1\
b3665a7b729f35f0400b3caec62111e6176118948cff70e91ee1f14b66da4a68eef9921a2fff1ef6ac9deeed9f98c1204678d4a00";
