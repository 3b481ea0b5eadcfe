//! What a connection can do to a download: certificates right and wrong, servers that fall silent, and hosts that are not
//! there.

use crate::text;
use flowstone::data::{CERTIFICATES, Connecting, FetchEvent, Store};
use flowstone::{Error, Result};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZE: usize = 10_000;

/// Bytes without a pattern.
fn bytes() -> Vec<u8> {
    (0..SIZE as u64).map(|i| ((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// How a server answers.
#[derive(Clone, Copy)]
enum Manner {
    /// As it should; with the rest where that is asked for.
    Well,
    /// It sends so many bytes of what is asked for and then nothing, and keeps the connection.
    FallsSilentAfter(usize),
    /// It takes the request and says nothing.
    Silent,
}

/// A server on this machine, of one file; its address. With a certificate it speaks TLS.
fn serve(manner: Manner, certificate: Option<Arc<ServerConfig>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}/f", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let certificate = certificate.clone();
            // A client that has seen enough goes away.
            std::thread::spawn(move || match certificate {
                Some(config) => answer(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), manner),
                None => answer(stream, manner),
            });
        }
    });
    address
}

fn answer(stream: impl Read + Write, manner: Manner) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut from = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end().trim_end_matches('-').parse().unwrap();
        }
    }
    let bytes = &bytes()[from..];
    let stream = stream.get_mut();
    let sent = match manner {
        Manner::Silent => {
            std::thread::sleep(Duration::from_secs(5));
            return Ok(());
        }
        Manner::Well => bytes.len(),
        Manner::FallsSilentAfter(n) => n.min(bytes.len()),
    };
    let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", bytes.len())?;
    if from > 0 {
        write!(stream, "Content-Range: bytes {from}-{}/{SIZE}\r\n", SIZE - 1)?;
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(&bytes[..sent])?;
    stream.flush()?;
    if sent < bytes.len() {
        std::thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}

/// An authority that signs certificates, and its own in PEM.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    /// A certificate for a host, changed as is said, in a server's hands.
    fn certificate(&self, host: &str, change: impl Fn(&mut CertificateParams)) -> Arc<ServerConfig> {
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap().der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        Arc::new(config.unwrap())
    }
}

/// A cache folder with a list of one file that is to be had from these places.
struct Fetching {
    folder: tempfile::TempDir,
    connecting: Connecting,
}

impl Fetching {
    fn from(urls: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sum: String = Sha256::digest(bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = format!("(name: \"f\", bytes: {SIZE}, sha256: \"{sum}\", urls: {urls:?})");
        let list = format!("Sources([(name: \"letters\", what: \"Letters\", format: Idx, files: [{file}])])");
        fs::write(folder.path().join("sources.ron"), list).unwrap();
        let short = Duration::from_millis(100);
        let connecting =
            Connecting { answer: short, stall: short, pause: Duration::from_millis(1), ..Connecting::default() };
        Self { folder, connecting }
    }

    fn trusting(mut self, pem: &str) -> Self {
        let path = self.folder.path().join("authority.pem");
        fs::write(&path, pem).unwrap();
        // A machine at work may need longer than these tests wait for a server that is silent.
        let patient = Duration::from_secs(20);
        self.connecting = Connecting { answer: patient, stall: patient, certificates: Some(path), ..self.connecting };
        self
    }

    /// What came of it, and what was said on the way.
    fn fetch(&self) -> (Result<PathBuf>, String) {
        let store = Store::new(Some(self.folder.path()), None).unwrap();
        let mut said = String::new();
        let result = store.fetch_by(&self.connecting, "letters", &mut |event| {
            if let FetchEvent::Trouble { what, .. } = event {
                said += &(what + "\n");
            }
        });
        (result, said)
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.path().join("letters").join(name)).ok()
    }
}

#[test]
fn a_file_comes_over_tls_from_a_server_whose_authority_is_trusted() {
    let authority = Authority::new();
    let url = serve(Manner::Well, Some(authority.certificate("127.0.0.1", |_| ())));
    let fetching = Fetching::from(std::slice::from_ref(&url)).trusting(&authority.pem);
    let (result, said) = fetching.fetch();
    result.unwrap();
    assert_eq!((fetching.file("f"), said.as_str()), (Some(bytes()), ""));

    // By the program, which is told in the environment; without that it refuses.
    let program = Fetching::from(&[url]).trusting(&authority.pem);
    let run = |certificates: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
        for proxy in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            command.env_remove(proxy);
        }
        command
            .args(["data", "fetch", "letters"])
            .env("FLOWSTONE_DATA", program.folder.path())
            .env_remove(CERTIFICATES);
        let output = command.current_dir(program.folder.path()).envs(certificates.map(|file| (CERTIFICATES, file)));
        let output = output.output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let (code, stderr) = run(None);
    assert!(code == Some(1) && stderr.contains("not of an authority that is trusted here"), "{code:?} {stderr}");
    let (code, stderr) = run(Some("no-such.pem"));
    assert!(code == Some(2) && stderr.contains("no-such.pem"), "{code:?} {stderr}");
    let (code, stderr) = run(Some("authority.pem"));
    assert_eq!((code, program.file("f")), (Some(0), Some(bytes())), "{stderr}");
}

#[test]
fn a_wrong_certificate_is_refused_with_what_is_wrong_and_the_next_source_is_asked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let right = authority.certificate("127.0.0.1", |_| ());
    for (wrong, words) in [
        (stranger.certificate("127.0.0.1", |_| ()), "its certificate is not of an authority that is trusted here"),
        (authority.certificate("example.org", |_| ()), "its certificate is that of another host"),
        (
            authority.certificate("127.0.0.1", |parameters| parameters.not_after = date_time_ymd(2001, 1, 1)),
            "its certificate has expired",
        ),
        (
            authority.certificate("127.0.0.1", |parameters| parameters.not_before = date_time_ymd(3000, 1, 1)),
            "its certificate is not valid yet",
        ),
    ] {
        let urls = [serve(Manner::Well, Some(wrong)), serve(Manner::Well, Some(Arc::clone(&right)))];
        let alone = Fetching::from(&urls[..1]).trusting(&authority.pem);
        let (result, _) = alone.fetch();
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Fetch { .. }) && error.to_string().contains(words), "{words}: {error}");
        assert_eq!((alone.file("f"), alone.file("f.part").unwrap_or_default()), (None, vec![]));

        let both = Fetching::from(&urls).trusting(&authority.pem);
        let (result, said) = both.fetch();
        result.unwrap();
        assert!(said.contains(words) && said.contains("asking the next source"), "{words}: {said}");
        assert_eq!(both.file("f"), Some(bytes()));
    }
}

#[test]
fn certificates_that_are_none_are_refused_before_anything_is_asked() {
    let garbled = Authority::new().pem.replace("MII", "III");
    for wrong in ["", "a note to oneself\n", &garbled] {
        let fetching = Fetching::from(&["https://127.0.0.1:1/f".to_owned()]).trusting(wrong);
        let (result, said) = fetching.fetch();
        let error = result.unwrap_err();
        assert!(error.is_input() && error.to_string().contains("authority.pem"), "{wrong:?}: {error}");
        assert_eq!(said, "");
    }
}

#[test]
fn a_server_that_falls_silent_is_given_up_and_what_it_sent_is_kept() {
    for certificate in [None, Some(Authority::new())] {
        let server = |manner| serve(manner, certificate.as_ref().map(|of| of.certificate("127.0.0.1", |_| ())));
        let urls = [server(Manner::FallsSilentAfter(300)), server(Manner::Well)];
        let fetching = |urls: &[String]| {
            let fetching = Fetching::from(urls);
            let Some(authority) = &certificate else { return fetching };
            let stall = Duration::from_millis(300);
            let trusting = fetching.trusting(&authority.pem);
            Fetching { connecting: Connecting { stall, ..trusting.connecting }, ..trusting }
        };
        let begin = Instant::now();
        let alone = fetching(&urls[..1]);
        let message = alone.fetch().0.unwrap_err().to_string();
        // Four times it was asked for the rest, and gave a part of it.
        assert!(message.contains("nothing more came after 1200 of 10000 bytes"), "{message}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
        assert_eq!((alone.file("f"), alone.file("f.part").unwrap()), (None, bytes()[..1200].to_vec()));

        let both = fetching(&urls);
        let (result, said) = both.fetch();
        result.unwrap();
        assert!(said.contains("nothing more came after 300 of 10000 bytes; trying again"), "{said}");
        assert!(said.contains("after 1200 of 10000 bytes; asking the next source"), "{said}");
        assert_eq!((both.file("f"), both.file("f.part")), (Some(bytes()), None));
    }
}

#[test]
fn a_server_that_says_nothing_or_is_not_there_makes_room_for_the_next() {
    let nobody = format!("http://{}/f", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    for (first, words) in [(serve(Manner::Silent, None), "it does not answer"), (nobody, "cannot be reached (")] {
        let begin = Instant::now();
        let fetching = Fetching::from(&[first, serve(Manner::Well, None)]);
        let (result, said) = fetching.fetch();
        result.unwrap();
        assert!(said.contains(words) && said.contains("asking the next source"), "{words}: {said}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
        assert_eq!(fetching.file("f"), Some(bytes()));
    }
}
