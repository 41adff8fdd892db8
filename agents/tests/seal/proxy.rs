//! A small faulty HTTP proxy in front of a server of the tests. One connection a request, so that every fault has one request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Bytes that are passed on at once.
const PIECE: usize = 64 << 10;

/// What is done to a request or to its answer. Places are counted in bytes of the body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    /// It is not passed on but answered with this status.
    Answer(u16),
    /// The connection breaks in the middle of the upload.
    CutUpload(usize),
    /// One bit of the upload is another.
    FlipUpload(usize),
    /// It is done, but the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks in the middle of the answer's body.
    CutAnswer(usize),
    /// The answer ends well, but says that it is only so long.
    ShortAnswer(usize),
    /// One bit of the answer's body is another.
    FlipAnswer(usize),
    /// Every piece of upload and answer takes so many milliseconds.
    Slow(u64),
}

/// One request, as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    head: String,
    pub(super) body: usize,
}

impl Seen {
    fn of(head: String) -> Self {
        let mut words = head.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut seen = Self { method, path, head, body: 0 };
        seen.body = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        seen
    }

    /// The value of this header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// Whether it has this method and its path ends so.
    pub(super) fn is(&self, method: &str, end: &str) -> bool {
        self.method == method && self.path.split('?').next().is_some_and(|path| path.ends_with(end))
    }
}

/// What fault a request meets, told by the number of like ones before it.
type Choose = dyn Fn(&Seen, usize) -> Option<Fault> + Send + Sync;

/// A running proxy; it ends with the test.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

/// What came by.
#[derive(Default)]
struct Log {
    seen: Vec<Seen>,
    under_way: usize,
    most_at_once: usize,
    longest_pause: Duration,
}

impl Proxy {
    /// Begins to pass requests on to `server`.
    pub(super) async fn before(server: SocketAddr, choose: Box<Choose>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("address");
        let log = Arc::<Mutex<Log>>::default();
        let (choose, kept) = (Arc::new(choose), log.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (choose, log) = (choose.clone(), kept.clone());
                // How a connection ends is what the tests are about.
                tokio::spawn(async move { pass(client, server, &**choose, &log).await.ok() });
            }
        });
        Self { address, log }
    }

    /// What came so far and has this method and end of path.
    pub(super) fn seen(&self, method: &str, end: &str) -> Vec<Seen> {
        self.log.lock().expect("log").seen.iter().filter(|seen| seen.is(method, end)).cloned().collect()
    }

    /// Requests that waited for an answer at the same time, at most.
    pub(super) fn most_at_once(&self) -> usize {
        self.log.lock().expect("log").most_at_once
    }

    /// How long nothing came of an upload that was under way, at most.
    pub(super) fn longest_pause(&self) -> Duration {
        self.log.lock().expect("log").longest_pause
    }
}

impl Log {
    fn begin(&mut self, seen: &Seen, choose: &Choose) -> Option<Fault> {
        let like = self.seen.iter().filter(|other| other.method == seen.method && other.path == seen.path).count();
        self.seen.push(seen.clone());
        self.under_way += 1;
        self.most_at_once = self.most_at_once.max(self.under_way);
        choose(seen, like)
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, choose: &Choose, log: &Mutex<Log>) -> std::io::Result<()> {
    let (head, begun) = head(&mut client).await?;
    let seen = Seen::of(head);
    let fault = log.lock().expect("log").begin(&seen, choose);
    let mut body = Body { fault, done: 0, paused: Duration::ZERO };
    if let Some(Fault::Answer(status)) = fault {
        body.drain(&mut client, begun.len(), seen.body).await?;
        log.lock().expect("log").under_way -= 1;
        let answer = format!("HTTP/1.1 {status} Said By The Test\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(server).await?;
    server.write_all(closing(&seen.head).as_bytes()).await?;
    let cut = matches!(fault, Some(Fault::CutUpload(_)));
    body.pass(&mut client, &mut server, begun, seen.body).await?;
    {
        let mut log = log.lock().expect("log");
        log.longest_pause = log.longest_pause.max(body.paused);
    }
    if cut {
        return Ok(());
    }
    if fault == Some(Fault::LoseAnswer) {
        return server.read_to_end(&mut Vec::new()).await.map(drop);
    }
    let answer = self::head(&mut server).await;
    log.lock().expect("log").under_way -= 1;
    let (head, begun) = answer?;
    client.write_all(shortened(&head, fault).as_bytes()).await?;
    Body { fault, done: 0, paused: Duration::ZERO }.answer(&mut server, &mut client, begun).await
}

/// Reads up to the end of the head; what came of the body is given with it.
async fn head(from: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        if from.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The head with a wish to close afterwards.
fn closing(head: &str) -> String {
    format!("{}\r\nconnection: close\r\n\r\n", head.trim_end())
}

/// The head of the answer, with the length that the fault wants.
fn shortened(head: &str, fault: Option<Fault>) -> String {
    let Some(Fault::ShortAnswer(length)) = fault else { return head.to_owned() };
    let lines = head.trim_end().lines().map(|line| match line.starts_with("content-length") {
        true => format!("content-length: {length}"),
        false => line.to_owned(),
    });
    lines.chain([String::new(), String::new()]).collect::<Vec<_>>().join("\r\n")
}

/// A body on its way.
struct Body {
    fault: Option<Fault>,
    done: usize,
    /// How long nothing came, at most.
    paused: Duration,
}

impl Body {
    /// Reads what is to come and throws it away.
    async fn drain(&mut self, from: &mut TcpStream, begun: usize, length: usize) -> std::io::Result<()> {
        let rest = length.saturating_sub(begun) as u64;
        tokio::io::copy(&mut from.take(rest), &mut tokio::io::sink()).await.map(drop)
    }

    /// Passes an upload of this length on.
    async fn pass(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        mut begun: Vec<u8>,
        length: usize,
    ) -> std::io::Result<()> {
        let (flip, cut) = match self.fault {
            Some(Fault::FlipUpload(at)) => (Some(at), length),
            Some(Fault::CutUpload(at)) => (None, at),
            _ => (None, length),
        };
        self.piece(&mut begun, flip, cut, to).await?;
        while self.done < cut {
            let mut piece = vec![0; PIECE.min(length - self.done)];
            let since = Instant::now();
            let count = from.read(&mut piece).await?;
            self.paused = self.paused.max(since.elapsed());
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            piece.truncate(count);
            self.piece(&mut piece, flip, cut, to).await?;
        }
        Ok(())
    }

    /// Passes an answer on, to its end.
    async fn answer(&mut self, from: &mut TcpStream, to: &mut TcpStream, mut begun: Vec<u8>) -> std::io::Result<()> {
        let (flip, cut) = match self.fault {
            Some(Fault::FlipAnswer(at)) => (Some(at), usize::MAX),
            Some(Fault::CutAnswer(at) | Fault::ShortAnswer(at)) => (None, at),
            _ => (None, usize::MAX),
        };
        self.piece(&mut begun, flip, cut, to).await?;
        let mut piece = vec![0; PIECE];
        while self.done < cut {
            let count = from.read(&mut piece).await?;
            if count == 0 {
                break;
            }
            let mut now = piece[..count].to_vec();
            self.piece(&mut now, flip, cut, to).await?;
        }
        to.shutdown().await
    }

    async fn piece(
        &mut self,
        bytes: &mut [u8],
        flip: Option<usize>,
        cut: usize,
        to: &mut TcpStream,
    ) -> std::io::Result<()> {
        if let Some(Fault::Slow(millis)) = self.fault {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        let here = flip.and_then(|at| at.checked_sub(self.done));
        if let Some(byte) = here.and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1;
        }
        let now = bytes.len().min(cut - self.done);
        self.done += now;
        to.write_all(&bytes[..now]).await
    }
}
