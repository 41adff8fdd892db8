//! A line between drillctl and the sandbox: a pair of sockets that no file leads to, on which whole messages go, with open files.
//!
//! Nothing in the sandbox can reach the ends that drillctl holds, and nothing but the sandbox's first process those inside.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the longest message; the kernel's usual buffer takes no more.
const LONGEST: usize = 192 << 10;
/// Files that go with one message.
const FILES: usize = 2;

/// Both ends of a new line.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends one message, with these open files.
pub(super) fn send(line: impl AsFd, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::other("too many files for one message"));
    }
    rustix::net::sendmsg(line, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Who sent the next message, by the number that the process has here; nothing once the other end is closed. The line must have been
/// set up to be told.
pub(super) fn receive_from(line: impl AsFd) -> io::Result<Option<Pid>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let (mut bytes, flags) = ([0; 64], RecvFlags::CMSG_CLOEXEC);
    let received = rustix::net::recvmsg(line, &mut [IoSliceMut::new(&mut bytes)], &mut beside, flags)?;
    let sender = beside.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmCredentials(sender) => Some(sender.pid),
        _ => None,
    });
    Ok(sender.filter(|_| received.bytes > 0))
}

/// The next message and its files; nothing once the other end is closed.
pub(super) fn receive<T: DeserializeOwned>(line: impl AsFd, flags: RecvFlags) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES), ScmCredentials(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(line, &mut [IoSliceMut::new(&mut bytes)], &mut beside, flags)?;
    let files = beside.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect(),
        _ => Vec::new(),
    });
    let files = files.collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::other("a message that is too long"));
    }
    Ok(Some((serde_json::from_slice(&bytes[..received.bytes])?, files)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_files_and_an_end_that_is_closed_is_told() {
        let (ours, theirs) = pair().expect("a line");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        send(&ours, &"x".repeat(100_000), &[writer.as_fd()]).expect("sent");
        drop(writer);
        let (text, mut files) = receive::<String>(&theirs, RecvFlags::empty()).expect("came").expect("a message");
        assert_eq!(text.len(), 100_000);
        File::from(files.pop().expect("a file")).write_all(b"through").expect("written");
        let mut got = String::new();
        reader.read_to_string(&mut got).expect("read");
        assert_eq!(got, "through");
        drop(ours);
        assert!(receive::<String>(&theirs, RecvFlags::empty()).expect("looked").is_none());
    }
}
