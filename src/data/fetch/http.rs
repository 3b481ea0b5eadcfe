//! One request for a file, or for the rest of one.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::{CertificateError, RootCertStore};
use ureq::http::{Response, StatusCode, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::error::{Error, Result};

/// The variable of the environment that names a file of certificates.
pub const CERTIFICATES: &str = "FLOWSTONE_CERTIFICATES";

/// How servers are reached, and how long they are waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connecting {
    /// For a name to be found, and then for a connection.
    pub connect: Duration,
    /// For an answer.
    pub answer: Duration,
    /// For the next bytes of one.
    pub stall: Duration,
    /// Before a source that broke off is asked again; each further time it is twice as long.
    pub pause: Duration,
    /// A file of certificates, PEM, of the authorities that are trusted in place of the program's own: those of a proxy
    /// that signs what goes through it, perhaps.
    pub certificates: Option<PathBuf>,
}

impl Default for Connecting {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            answer: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            pause: Duration::from_millis(250),
            certificates: None,
        }
    }
}

impl Connecting {
    /// With the certificates that `FLOWSTONE_CERTIFICATES` names, where it does.
    pub fn from_environment() -> Self {
        let certificates = std::env::var_os(CERTIFICATES).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { certificates, ..Self::default() }
    }

    /// What asks for files. Proxies are as the environment says.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::BadFile`] for certificates that cannot be read.
    pub(super) fn agent(&self) -> Result<Agent> {
        let tls = TlsConfig::builder().root_certs(match &self.certificates {
            Some(path) => RootCerts::Specific(Arc::new(authorities(path)?)),
            None => RootCerts::WebPki,
        });
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("flowstone/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(self.connect))
            .timeout_connect(Some(self.connect))
            .timeout_recv_response(Some(self.answer))
            .timeout_per_read(Some(self.stall))
            .tls_config(tls.build());
        Ok(Agent::new_with_config(config.build()))
    }
}

/// The certificates of a PEM file, each of which must be one.
fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let text = std::fs::read(path).map_err(Error::io(path))?;
    let refuse =
        |reason: String| Error::bad_file(path, format!("{reason}; {CERTIFICATES} names a file of them in PEM"));
    let mut certificates = Vec::new();
    for item in ureq::tls::parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| refuse(format!("is no PEM: {error}")))? {
            RootCertStore::empty()
                .add(certificate.der().into())
                .map_err(|error| refuse(format!("certificate {} is none: {error}", certificates.len() + 1)))?;
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() { Err(refuse("holds no certificate".into())) } else { Ok(certificates) }
}

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
    if certificate(&error).is_some() {
        return Answer::Refused(reason);
    }
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
    if let Some(reason) = certificate(error) {
        return reason;
    }
    match error {
        E::HostNotFound => "no such host is known here".into(),
        E::Timeout(Timeout::PerRead | Timeout::RecvBody) => "nothing more came".into(),
        E::Timeout(_) => "it does not answer".into(),
        E::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        E::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// What is wrong with a server's certificate, if that is what went wrong.
fn certificate(error: &ureq::Error) -> Option<String> {
    use CertificateError as C;
    let error = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref::<rustls::Error>()?,
        _ => return None,
    };
    let rustls::Error::InvalidCertificate(wrong) = error else { return None };
    Some(match wrong {
        C::UnknownIssuer | C::BadSignature => format!(
            "its certificate is not of an authority that is trusted here; behind a proxy with an authority of its own, name \
             a file with that authority's certificate in {CERTIFICATES}"
        ),
        C::Expired | C::ExpiredContext { .. } => "its certificate has expired, or this machine's date is wrong".into(),
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "its certificate is not valid yet, or this machine's date is wrong".into()
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => "its certificate is that of another host".into(),
        _ => format!("its certificate is refused ({error})"),
    })
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
