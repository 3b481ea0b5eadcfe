//! Whether a picture is all there, where its decoder would not notice.
//!
//! A decoder of JPEG fills what is missing with grey. So a JPEG is gone through from marker to marker (ITU-T T.81, annex B):
//! one that does not come to its end-of-image marker is refused. That also goes for a file that lacks nothing but this
//! marker: it cannot be told from one that was cut within its last scan.

use image::ImageFormat;

/// What is wrong with a file that is not all there.
pub(super) fn expect_whole(format: ImageFormat, bytes: &[u8]) -> Result<(), &'static str> {
    let missing = match format {
        ImageFormat::Jpeg if !reaches_end_of_jpeg(bytes) => "the file is cut short: it has no end-of-image marker",
        ImageFormat::WebP if !holds_its_riff(bytes) => "the file is cut short: its header says that it is longer",
        ImageFormat::Pnm if ends_in_a_number(bytes) => {
            "the file may be cut short: it ends in a number with no line break after it"
        }
        _ => return Ok(()),
    };
    Err(missing)
}

/// Whether a JPEG has a scan and then an end-of-image marker. Thumbnails, which have one of their own, are within segments
/// and are passed over with them; what follows the end does not matter.
fn reaches_end_of_jpeg(bytes: &[u8]) -> bool {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let (mut at, mut has_scan) = (0, false);
    loop {
        // Between segments only the data of a scan stand, where 0xff is followed by 0 or a restart marker's number.
        let Some(next) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) else {
            return false;
        };
        at += next;
        match bytes.get(at + 1) {
            None => return false,
            // Any number of 0xff may stand before a marker.
            Some(0xff) => at += 1,
            Some(0x00 | 0x01 | 0xd0..=0xd7 | &START) => at += 2,
            Some(&END) => return has_scan,
            Some(marker) => {
                let Some(length) = bytes.get(at + 2..at + 4) else { return false };
                has_scan |= *marker == SCAN;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
        }
    }
}

/// Whether a WebP is as long as its first chunk says.
fn holds_its_riff(bytes: &[u8]) -> bool {
    let length = bytes.get(4..8).map(|length| u32::from_le_bytes([length[0], length[1], length[2], length[3]]));
    length.is_some_and(|length| bytes.len() as u64 >= 8 + u64::from(length))
}

/// Whether the last number of a PNM in text may lack digits.
fn ends_in_a_number(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'2' | b'3', ..]) && bytes.last().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JPEG's markers without its picture: a thumbnail in a segment, tables, a scan with a stuffed 0xff and restarts, and
    /// a second scan.
    fn markers() -> Vec<u8> {
        [
            &[0xff, 0xd8, 0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 1, 2][..],
            &[0xff, 0xff, 0xc4, 0, 3, 7],
            &[0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xd7, 4],
            &[0xff, 0xda, 0, 2, 5, 6, 0xff, 0xd9],
        ]
        .concat()
    }

    #[test]
    fn a_jpeg_that_is_cut_anywhere_lacks_its_end() {
        let whole = markers();
        assert!(reaches_end_of_jpeg(&whole));
        assert!((0..whole.len()).all(|length| !reaches_end_of_jpeg(&whole[..length])));
    }

    #[test]
    fn what_follows_the_end_of_a_jpeg_does_not_matter() {
        let mut bytes = markers();
        bytes.extend([0, 0xff, 0xd8, 9]);
        assert!(reaches_end_of_jpeg(&bytes));
        assert!(!reaches_end_of_jpeg(&[0xff, 0xd8, 0xff, 0xd9]), "nor is one without a scan whole");
        let zeros = [&markers()[..20], &[0; 50]].concat();
        assert!(!reaches_end_of_jpeg(&zeros), "nor one whose rest was never written");
    }

    #[test]
    fn numbers_in_text_must_have_come_to_their_end() {
        assert!(ends_in_a_number(b"P2 1 1 255 25") && !ends_in_a_number(b"P2 1 1 255 25\n"));
        assert!(!ends_in_a_number(b"P1 1 1 1") && !ends_in_a_number(b"P5 1 1 255 1"));
    }
}
