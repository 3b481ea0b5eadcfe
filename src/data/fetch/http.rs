//! One request for a file, or for the rest of one.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::{Response, StatusCode, Uri, header};
use ureq::{Agent, Body};

use crate::error::{Error, Result};

/// How long to wait for a connection, for an answer, and for the next bytes of one.
const CONNECT: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(60);
const STALL: Duration = Duration::from_secs(30);

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The file has as many bytes as it should.
    Whole,
    /// It ended too early, and may go on from where it is.
    Broken(String),
    /// Another request would be answered the same.
    Refused(String),
    /// The host was not reached.
    Unreachable(String),
}

/// What asks for files. Proxies are as the environment says.
pub fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("flowstone/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(STALL));
    Agent::new_with_config(config.build())
}

/// The host of an address.
pub fn host(url: &str) -> String {
    url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_else(|| url.to_owned())
}

/// Asks `url` for what `part` lacks of `bytes` bytes, and adds it; from the start where the server will not give the rest
/// alone. `received` is told how many bytes are there.
///
/// # Errors
/// [`Error::Io`] where `part` cannot be written. What goes wrong on the other side is an [`Answer`].
pub fn ask(agent: &Agent, url: &str, part: &Path, bytes: u64, received: &mut dyn FnMut(u64)) -> Result<Answer> {
    let mut file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(part).map_err(Error::io(part))?;
    let have = file.metadata().map_err(Error::io(part))?.len();
    let request = agent.get(url);
    let request = if have > 0 { request.header(header::RANGE, format!("bytes={have}-")) } else { request };
    let response = match request.call() {
        Ok(response) => response,
        Err(error) => return Ok(failed(error)),
    };
    let start = match first_byte(&response, have, bytes) {
        Ok(start) => start,
        Err(answer) => return Ok(answer),
    };
    set_length(&mut file, start).map_err(Error::io(part))?;
    copy(response.into_body().into_reader(), &mut file, part, start, bytes, received)
}

/// The byte that an answer begins with, where `have` bytes are there and the whole has `bytes`; or why it is of no use.
fn first_byte(response: &Response<Body>, have: u64, bytes: u64) -> std::result::Result<u64, Answer> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let other_size = |size: u64| Answer::Refused(format!("it has a file of {size} bytes; the list says {bytes}"));
    match response.status() {
        StatusCode::PARTIAL_CONTENT => match text(header::CONTENT_RANGE).and_then(content_range) {
            Some((_, Some(size))) if size != bytes => Err(other_size(size)),
            Some((first, _)) if first == have => Ok(have),
            _ => Err(Answer::Refused("it answers with another part of the file than was asked for".into())),
        },
        StatusCode::OK => match text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()) {
            Some(size) if size != bytes => Err(other_size(size)),
            _ => Ok(0),
        },
        status if status.is_server_error() => Err(Answer::Broken(says(status))),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => Err(Answer::Broken(says(status))),
        status => Err(Answer::Refused(says(status))),
    }
}

fn says(status: StatusCode) -> String {
    format!("it answers {status}")
}

/// The first byte and the size of the whole, of `bytes 7-99/100`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()))
}

/// Makes a file `length` bytes long, to be written on from there.
fn set_length(file: &mut File, length: u64) -> std::io::Result<()> {
    file.set_len(length)?;
    file.seek(std::io::SeekFrom::Start(length)).map(drop)
}

/// Adds what comes to a file that has `have` bytes, up to `bytes`.
fn copy(
    mut from: impl Read,
    file: &mut File,
    part: &Path,
    mut have: u64,
    bytes: u64,
    received: &mut dyn FnMut(u64),
) -> Result<Answer> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        received(have);
        let n = match from.read(&mut buffer) {
            Ok(0) if have < bytes => {
                return Ok(Answer::Broken(format!("the connection was closed after {have} of {bytes} bytes")));
            }
            Ok(0) => return Ok(Answer::Whole),
            Ok(n) => n as u64,
            Err(_) if have == bytes => return Ok(Answer::Whole),
            Err(error) => {
                let reason = ureq::Error::from(error);
                return Ok(Answer::Broken(format!("{} after {have} of {bytes} bytes", plain(&reason))));
            }
        };
        if have + n > bytes {
            // Whatever this is, it is not the file.
            file.set_len(0).map_err(Error::io(part))?;
            return Ok(Answer::Refused(format!("it sends more than the {bytes} bytes that the list says")));
        }
        file.write_all(&buffer[..n as usize]).map_err(Error::io(part))?;
        have += n;
    }
}

/// A request that has no answer.
fn failed(error: ureq::Error) -> Answer {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    use ureq::{Error as E, Timeout};
    let reason = plain(&error);
    match error {
        E::Timeout(Timeout::RecvResponse | Timeout::PerRead) | E::Protocol(_) => Answer::Broken(reason),
        E::Io(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof) => {
            Answer::Broken(reason)
        }
        E::BadUri(_) | E::Http(_) | E::RedirectFailed | E::TooManyRedirects => Answer::Refused(reason),
        _ => Answer::Unreachable(reason),
    }
}

/// What went wrong with a connection, in plain words.
fn plain(error: &ureq::Error) -> String {
    use ureq::{Error as E, Timeout};
    match error {
        E::HostNotFound => "no such host is known here".into(),
        E::Timeout(Timeout::PerRead | Timeout::RecvBody) => "nothing more came".into(),
        E::Timeout(_) => "it does not answer".into(),
        E::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        E::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_an_answer_is_read() {
        assert_eq!(content_range("bytes 7-99/100"), Some((7, Some(100))));
        assert_eq!(content_range("bytes 7-99/*"), Some((7, None)));
        assert!(["bytes */100", "7-99/100", "bytes -99/100", ""].iter().all(|text| content_range(text).is_none()));
    }

    #[test]
    fn the_host_of_an_address_is_named_without_port() {
        assert_eq!(host("http://127.0.0.1:8080/a"), "127.0.0.1");
        assert_eq!(host("https://h.org/~a/b?c"), "h.org");
    }
}
