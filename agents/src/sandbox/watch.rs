//! Sees what programs in the sandbox try to reach. All outside addresses lead back to the sandbox's own loopback, where the first
//! packet of each attempt is seen and the kernel refuses it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::attempt::Attempt;

/// Different attempts that are remembered; of more, nothing is known.
const MOST: usize = 100;
/// Bytes of a packet that are looked at.
const SEEN: usize = 512;
/// Where the watch sends a datagram to see it come by: an address for documentation, which nobody has.
const MARK: &str = "192.0.2.1:9";
/// How often, and after what pauses, the watch looks for its own datagram.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes of packets that may wait to be looked at.
const QUEUE: usize = 4 << 20;

/// Numbers of the kernel's `linux/if_ether.h`.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// What is let through of IPv4: what isn't for 127.0.0.0/8, what is for port 53, and what begins a TCP connection. Else a busy app
/// would drown it. Headers with options are none that programs can send.
const FILTER_V4: [SockFilter; 9] = [
    SockFilter::new(LOAD_BYTE, 0, 0, 16),
    SockFilter::new(IS, 0, 6, 127),
    SockFilter::new(LOAD_HALF, 0, 0, 22),
    SockFilter::new(IS, 4, 0, 53),
    SockFilter::new(LOAD_BYTE, 0, 0, 33),
    SockFilter::new(MASK, 0, 0, 0x12),
    SockFilter::new(IS, 1, 0, 0x02),
    SockFilter::new(END, 0, 0, 0),
    SockFilter::new(END, 0, 0, SEEN as u32),
];
/// The same of IPv6 and ::1.
const FILTER_V6: [SockFilter; 15] = [
    SockFilter::new(LOAD_WORD, 0, 0, 24),
    SockFilter::new(IS, 0, 12, 0),
    SockFilter::new(LOAD_WORD, 0, 0, 28),
    SockFilter::new(IS, 0, 10, 0),
    SockFilter::new(LOAD_WORD, 0, 0, 32),
    SockFilter::new(IS, 0, 8, 0),
    SockFilter::new(LOAD_WORD, 0, 0, 36),
    SockFilter::new(IS, 0, 6, 1),
    SockFilter::new(LOAD_HALF, 0, 0, 42),
    SockFilter::new(IS, 4, 0, 53),
    SockFilter::new(LOAD_BYTE, 0, 0, 53),
    SockFilter::new(MASK, 0, 0, 0x12),
    SockFilter::new(IS, 1, 0, 0x02),
    SockFilter::new(END, 0, 0, 0),
    SockFilter::new(END, 0, 0, SEEN as u32),
];
/// Instructions of the kernel's packet filter (`linux/filter.h`): load, mask, compare and branch, let so many bytes through.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const IS: u16 = 0x15;
const MASK: u16 = 0x54;
const END: u16 = 0x06;

/// The attempts that were seen.
pub(super) struct Watch {
    sockets: [Socket; 2],
    /// Addresses on loopback that are somebody's outside: the source's, where it is on this host.
    elsewhere: Vec<SocketAddr>,
    seen: BTreeMap<Attempt, u64>,
}

impl Watch {
    /// Begins to watch. This needs the right to open packet sockets, which may be given away afterwards.
    pub(super) fn begin(elsewhere: Vec<SocketAddr>) -> io::Result<Self> {
        let sockets = [packets(IPV4, &FILTER_V4)?, packets(IPV6, &FILTER_V6)?];
        Ok(Self { sockets, elsewhere, seen: BTreeMap::new() })
    }

    /// What becomes readable when something is to be seen.
    pub(super) fn sockets(&self) -> [BorrowedFd<'_>; 2] {
        self.sockets.each_ref().map(AsFd::as_fd)
    }

    /// Looks at everything that came. Whether the datagram that ends with `mark` was among it.
    pub(super) fn look(&mut self, mark: Option<&[u8]>) -> bool {
        let (mut packet, mut marked) = ([0; SEEN], false);
        for mut socket in &self.sockets {
            while let Ok(length) = socket.read(&mut packet) {
                let packet = &packet[..length.min(SEEN)];
                if mark.is_some_and(|mark| packet.ends_with(mark)) {
                    marked = true;
                } else if let Some(attempt) = Attempt::of(packet)
                    && attempt.leaves(&self.elsewhere)
                    && (self.seen.contains_key(&attempt) || self.seen.len() < MOST)
                {
                    *self.seen.entry(attempt).or_default() += 1;
                }
            }
        }
        marked
    }

    /// Everything that was tried until now, how often, and forgets it. A datagram of its own goes last through the same sockets, so
    /// that nothing is still on its way.
    pub(super) fn take(&mut self) -> io::Result<Vec<(Attempt, u64)>> {
        let mark: [u8; 16] = rand::random();
        UdpSocket::bind("0.0.0.0:0")?.send_to(&mark, MARK)?;
        for _ in 0..LOOKS {
            if self.look(Some(&mark)) {
                return Ok(std::mem::take(&mut self.seen).into_iter().collect());
            }
            std::thread::sleep(PAUSE);
        }
        Err(io::Error::from(io::ErrorKind::TimedOut))
    }
}

/// A socket that sees the packets of one protocol that are received, from their IP header on.
fn packets(protocol: u16, filter: &[SockFilter]) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from(protocol.to_be()))))?;
    socket.attach_filter(filter)?;
    socket.set_nonblocking(true)?;
    let _ = socket.set_recv_buffer_size(QUEUE);
    Ok(socket)
}
