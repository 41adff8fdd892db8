//! An attempt to reach something outside of the sandbox: what a packet tells of it, and the words for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

const TCP: u8 = 6;
const UDP: u8 = 17;
const SYN_WITHOUT_ACK: (u8, u8) = (0x12, 0x02);
const DNS: u16 = 53;

/// What ports are known for; the report names it beside the number.
const SERVICES: [(u16, &str); 22] = [
    (22, "ssh"),
    (25, "smtp"),
    (53, "domain"),
    (80, "http"),
    (110, "pop3"),
    (123, "ntp"),
    (143, "imap"),
    (389, "ldap"),
    (443, "https"),
    (445, "smb"),
    (465, "smtps"),
    (514, "syslog"),
    (587, "submission"),
    (636, "ldaps"),
    (993, "imaps"),
    (2049, "nfs"),
    (3306, "mysql"),
    (5432, "postgresql"),
    (5672, "amqp"),
    (6379, "redis"),
    (9200, "elasticsearch"),
    (11211, "memcached"),
];

/// Something outside that was tried to reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Attempt {
    /// A TCP connection.
    Tcp(SocketAddr),
    /// A datagram.
    Udp(SocketAddr),
    /// The question for a name.
    Name(String),
}

impl Attempt {
    /// What this packet, from its IP header on, tries; nothing for an answer.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let (to, protocol, payload) = match packet.first()? >> 4 {
            4 => v4(packet)?,
            6 => v6(packet)?,
            _ => return None,
        };
        let port = u16::from_be_bytes([*payload.get(2)?, *payload.get(3)?]);
        let address = SocketAddr::new(to, port);
        match protocol {
            UDP if port == DNS => Some(question(payload.get(8..)?).map_or(Self::Udp(address), Self::Name)),
            UDP => Some(Self::Udp(address)),
            TCP if payload.get(13)? & SYN_WITHOUT_ACK.0 == SYN_WITHOUT_ACK.1 => Some(Self::Tcp(address)),
            _ => None,
        }
    }

    /// Whether it was for something outside: no address on loopback, unless it is one of those that are somebody's `elsewhere`.
    pub(super) fn leaves(&self, elsewhere: &[SocketAddr]) -> bool {
        self.address().is_none_or(|address| !address.ip().is_loopback() || elsewhere.contains(&address))
    }

    /// The address that it was for, unless it was a name.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Udp(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// The attempt in words: `reach 203.0.113.5:25 (smtp)`.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Tcp(address) => format!("reach {address}{}", service(address.port())),
            Self::Udp(address) => format!("send a datagram to {address}{}", service(address.port())),
            Self::Name(name) => format!("look up the name {name}"),
        }
    }
}

fn service(port: u16) -> String {
    let known = SERVICES.iter().find(|(number, _)| *number == port);
    known.map_or_else(String::new, |(_, name)| format!(" ({name})"))
}

fn v4(packet: &[u8]) -> Option<(IpAddr, u8, &[u8])> {
    let header = usize::from(packet[0] & 0x0f) * 4;
    let fragment = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff;
    let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    (fragment == 0).then_some((Ipv4Addr::from(to).into(), *packet.get(9)?, packet.get(header..)?))
}

/// Packets with further headers before their payload are passed over: programs don't send them.
fn v6(packet: &[u8]) -> Option<(IpAddr, u8, &[u8])> {
    let to: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
    Some((Ipv6Addr::from(to).to_canonical(), *packet.get(6)?, packet.get(40..)?))
}

/// The name in a question of the DNS (RFC 1035, 4.1), with what is no plain letter of a name shown as `?`.
fn question(message: &[u8]) -> Option<String> {
    let is_question = message.get(2)? & 0x80 == 0 && u16::from_be_bytes([*message.get(4)?, *message.get(5)?]) > 0;
    let (mut labels, mut rest) = (Vec::new(), message.get(12..).filter(|_| is_question)?);
    loop {
        let (length, after) = rest.split_first()?;
        let length = usize::from(*length);
        if length == 0 {
            return (!labels.is_empty()).then(|| labels.join("."));
        }
        labels.push(after.get(..length).filter(|_| length < 64)?.iter().map(plain).collect::<String>());
        rest = &after[length..];
    }
}

fn plain(byte: &u8) -> char {
    if byte.is_ascii_alphanumeric() || b"-_".contains(byte) { char::from(*byte) } else { '?' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, to: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 127, 0, 0, 1];
        packet.extend(to);
        packet.extend([0x9c, 0x40]);
        packet.extend(port.to_be_bytes());
        packet.extend(payload);
        packet
    }

    fn tcp(to: [u8; 4], flags: u8) -> Vec<u8> {
        packet(TCP, to, 25, &[0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0])
    }

    fn asks(name: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 0, 0, 0, 7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        payload.extend(name);
        payload.extend([0, 0, 1, 0, 1]);
        packet(UDP, [127, 0, 0, 1], DNS, &payload)
    }

    #[test]
    fn the_begin_of_a_connection_to_the_outside_is_an_attempt_and_nothing_else_of_it() {
        let outside = [203, 0, 113, 5];
        let seen = Attempt::of(&tcp(outside, 0x02)).expect("a SYN");
        assert_eq!(seen.words(), "reach 203.0.113.5:25 (smtp)");
        for (to, flags) in [(outside, 0x12), (outside, 0x10), (outside, 0x14)] {
            assert_eq!(Attempt::of(&tcp(to, flags)), None, "{to:?} {flags:#x}");
        }
        let inside = Attempt::of(&tcp([127, 0, 0, 1], 0x02)).expect("a SYN");
        assert!(seen.leaves(&[]) && !inside.leaves(&[]));
        assert!(inside.leaves(&["127.0.0.1:25".parse().expect("an address")]), "where the source is, on this host");
        let datagram = Attempt::of(&packet(UDP, outside, 514, &[0; 8])).expect("a datagram");
        assert_eq!(datagram.words(), "send a datagram to 203.0.113.5:514 (syslog)");
    }

    #[test]
    fn a_connection_over_ipv6_is_an_attempt_too() {
        let mut packet = vec![0x60, 0, 0, 0, 0, 20, TCP, 64];
        packet.extend([0; 16]);
        packet.extend("2001:db8::5".parse::<Ipv6Addr>().expect("an address").octets());
        packet.extend([0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Attempt::of(&packet).expect("a SYN").words(), "reach [2001:db8::5]:443 (https)");
    }

    #[test]
    fn the_question_for_a_name_tells_the_name_and_no_control_characters() {
        let seen = |name: &[u8]| Attempt::of(&asks(name)).map(|attempt| attempt.words());
        assert_eq!(seen(b"\x05hooks\x07example\x03com"), Some("look up the name hooks.example.com".into()));
        assert_eq!(seen(b"\x03a\n\x1b"), Some("look up the name a??".into()));
        assert_eq!(seen(b"\xc0\x0c"), Some("send a datagram to 127.0.0.1:53 (domain)".into()));
    }

    #[test]
    fn whatever_is_cut_off_is_no_attempt_and_no_panic() {
        for whole in [tcp([203, 0, 113, 5], 0x02), asks(b"\x05hooks")] {
            for length in 0..whole.len() {
                let _ = Attempt::of(&whole[..length]);
            }
        }
    }
}
