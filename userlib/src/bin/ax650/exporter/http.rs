// SPDX-License-Identifier: MIT OR Apache-2.0

//! Just as much of HTTP as a scraper needs.  Nobody is trusted: few connections at a time, short requests, little time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use crate::failure::Failure;
use crate::interrupt;

/// Connections at a time; others are told to come again.
const MOST: usize = 8;

/// Time for a request to come in, and for each write of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a request.
const LONGEST: usize = 8 << 10;

/// Type of Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counts a connection while it lives.
struct Guest(Arc<AtomicUsize>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers requests with what `page` makes, until an interrupt.
pub fn serve(
    listener: &TcpListener,
    page: impl Fn() -> Result<String, String> + Send + Sync + 'static,
) -> Result<(), Failure> {
    listener.set_nonblocking(true)?;
    let guests = Arc::new(AtomicUsize::new(0));
    let page = Arc::new(page);
    loop {
        interrupt::check()?;
        let mut wanted = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        // A signal ends the wait, and is looked at above.
        let _ = poll(&mut wanted, PollTimeout::from(200u8));
        let Ok((stream, peer)) = listener.accept() else {
            continue;
        };
        log::debug!("connection from {peer}");
        let guest = Guest(guests.clone());
        if guests.fetch_add(1, Ordering::Relaxed) >= MOST {
            let _ = turn_away(stream);
            continue;
        }
        let page = page.clone();
        let thread = std::thread::Builder::new().name("scrape".into());
        let started = thread.spawn(move || {
            let _guest = guest;
            if let Err(error) = answer(stream, page.as_ref()) {
                log::debug!("{peer}: {error}");
            }
        });
        if let Err(error) = started {
            log::debug!("no thread: {error}");
        }
    }
}

/// Says that there are too many, without a wait.
fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    write_answer(
        &mut stream,
        "503 Service Unavailable",
        "too many connections\n",
        false,
    )
}

fn answer(mut stream: TcpStream, page: &dyn Fn() -> Result<String, String>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = match read_request(&mut stream)? {
        Some(request) => request,
        None => return write_answer(&mut stream, "400 Bad Request", "bad request\n", false),
    };
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    let is_head = method == "HEAD";
    let (status, body) = match (method, path, words.next()) {
        (_, _, None) => ("400 Bad Request", "bad request\n".into()),
        ("GET" | "HEAD", "/metrics", _) => match page() {
            Ok(page) => ("200 OK", page),
            Err(error) => ("500 Internal Server Error", format!("{error}\n")),
        },
        ("GET" | "HEAD", "/", _) => ("200 OK", "ax650 exporter: see /metrics\n".into()),
        ("GET" | "HEAD", _, _) => ("404 Not Found", "see /metrics\n".into()),
        _ => ("405 Method Not Allowed", "GET and HEAD only\n".into()),
    };
    write_answer(&mut stream, status, &body, is_head)
}

/// Reads up to the empty line and returns the first; `None` for what is no request, or too long or too slow.
fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let end = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || bytes.len() > LONGEST {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut part) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                return Ok(None)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        bytes.extend_from_slice(&part[..count]);
        if bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes);
            return Ok(text.lines().next().map(str::to_owned));
        }
    }
}

fn write_answer(stream: &mut TcpStream, status: &str, body: &str, is_head: bool) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {TEXT}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let body = if is_head { "" } else { body };
    stream.write_all(format!("{head}{body}").as_bytes())?;
    stream.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn start() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || serve(&listener, || Ok("figure 1\n".into())));
        address
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn good_and_bad_requests() {
        let address = start();
        let good = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(good.starts_with("HTTP/1.1 200 OK\r\n"), "{good}");
        assert!(
            good.contains("version=0.0.4") && good.ends_with("\r\n\r\nfigure 1\n"),
            "{good}"
        );
        let head = ask(address, "HEAD /metrics?x=y HTTP/1.1\r\n\r\n");
        assert!(
            head.contains("Content-Length: 9\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        for (request, status) in [
            ("GET /other HTTP/1.1\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("GET /metrics\r\n\r\n", "400"),
            ("\r\n\r\n", "400"),
        ] {
            let answer = ask(address, request);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}: {answer}"
            );
        }
        // Too long, without an end.
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(2 * LONGEST));
        let answer = ask(address, &long);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{answer}"
        );
    }

    #[test]
    fn who_holds_connections_does_not_keep_others_out_for_long() {
        let address = start();
        let held: Vec<_> = (0..MOST)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let begin = Instant::now();
        loop {
            let answer = ask(address, "GET /metrics HTTP/1.1\r\n\r\n");
            if answer.starts_with("HTTP/1.1 200 ") {
                break;
            }
            assert!(begin.elapsed() < 4 * PATIENCE, "kept out: {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(begin.elapsed() > PATIENCE / 2, "more than {MOST} at a time");
        drop(held);
    }
}
