//! A connection to a Redis server, on a thread that may block: commands, their answers, and what an error of the server means.

use std::io::{self, BufRead, BufReader, Read, Write};

use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::patient::Patient;
use crate::{Error, Kind, Result};

/// Bytes of one answer at most; what is asked here has short ones.
const LARGEST: u64 = 64 << 20;
const BUFFER: usize = 256 << 10;

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<Patient>,
    address: String,
}

/// What a server answers, unless it is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Text(Vec<u8>),
    Number(i64),
    Nothing,
}

impl Connection {
    /// Connects, and says who asks.
    ///
    /// # Errors
    /// [`Kind::Denied`] for a wrong password, [`Kind::Unavailable`] if nobody answers.
    pub(crate) fn open(address: &Address, cancel: &CancellationToken) -> Result<Self> {
        let stream = BufReader::with_capacity(BUFFER, Patient::connect(address, cancel)?);
        let mut connection = Self { stream, address: address.to_string() };
        if let Some(password) = &address.password {
            let user = address.user.as_deref();
            let words: Vec<&str> = ["AUTH"].into_iter().chain(user).chain([password.expose_secret()]).collect();
            connection.ask(&words)?;
        }
        Ok(connection)
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// What the server says, as a kind; [`Kind::Unavailable`] if the connection breaks.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Result<Answer> {
        let command = words.first().copied().unwrap_or_default();
        self.send(words).map_err(|cause| self.broken(command, cause))?;
        let answer = self.answer().map_err(|cause| self.broken(command, cause))?;
        answer.map_err(|said| self.refused(command, &said))
    }

    /// Sends a command. Its answer is read by whoever knows it.
    pub(super) fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        self.stream.get_mut().write_all(&bytes)?;
        self.stream.get_mut().flush()
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.by_ref().take(LARGEST).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.pop_if(|last| *last == b'\r');
        Ok(line)
    }

    /// The bytes that follow.
    pub(super) fn into_stream(self) -> BufReader<Patient> {
        self.stream
    }

    fn answer(&mut self) -> io::Result<std::result::Result<Answer, String>> {
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or(io::ErrorKind::InvalidData)?;
        let text = String::from_utf8_lossy(rest).into_owned();
        let number = || text.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        Ok(match kind {
            b'+' => Ok(Answer::Text(rest.to_vec())),
            b'-' => Err(text),
            b':' => Ok(Answer::Number(number()?)),
            b'$' => match u64::try_from(number()?) {
                Err(_) => Ok(Answer::Nothing),
                Ok(length) => Ok(Answer::Text(self.bulk(length)?)),
            },
            _ => return Err(io::ErrorKind::InvalidData.into()),
        })
    }

    fn bulk(&mut self, length: u64) -> io::Result<Vec<u8>> {
        if length > LARGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = Vec::new();
        self.stream.by_ref().take(length + 2).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length + 2 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(bytes.len() - 2);
        Ok(bytes)
    }

    /// The error that a connection that broke is.
    pub(super) fn broken(&self, doing: &str, cause: io::Error) -> Error {
        proper(cause, |cause| {
            Error::new(Kind::Unavailable, format!("{doing} at Redis {}", self.address)).because(cause).temporary()
        })
    }

    /// The error that a refusal of the server is. Its words begin with one that tells them apart.
    pub(super) fn refused(&self, doing: &str, said: &str) -> Error {
        let error = |kind| Error::new(kind, format!("{doing} at Redis {}: {said}", self.address));
        match said.split(' ').next().unwrap_or_default() {
            "NOAUTH" => error(Kind::Denied).hint("Say where the password is kept: `password: {env: NAME}`."),
            "WRONGPASS" => error(Kind::Denied).hint("Check user and password."),
            "NOPERM" => error(Kind::Denied)
                .hint("Let the user do it: `ACL SETUSER NAME +ping +info +replconf +sync`, and for a canary `~drillctl:canary:* +set +get +del`."),
            "READONLY" => error(Kind::Denied).hint("Name the primary instead of a replica, or write `canary: false`."),
            "MOVED" => error(Kind::Denied)
                .hint("A node of a cluster takes only keys of its own slots: write `canary: false`."),
            "OOM" => error(Kind::Exhausted),
            "NOMASTERLINK" => error(Kind::Unavailable)
                .hint("This replica has lost its primary, so what it holds may be old: mend that, or name the primary."),
            "LOADING" | "BUSY" | "MASTERDOWN" => error(Kind::Unavailable).temporary(),
            _ => error(Kind::Unavailable),
        }
    }
}

/// The error that was passed through a reader, or what `otherwise` makes of the cause.
pub(super) fn proper(cause: io::Error, otherwise: impl FnOnce(io::Error) -> Error) -> Error {
    cause.downcast::<Error>().unwrap_or_else(otherwise)
}
