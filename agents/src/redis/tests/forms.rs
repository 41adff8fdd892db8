//! Values in the forms that servers before 7.0 store them, written by hand and loaded by a real server: what is read from those bytes
//! is what the server understands them to be. Forms that came later are held against those.

use super::fixture::Fixture;
use crate::redis::facts::Facts;
use crate::{Format, Index};

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short string");
    [&[0x80][..], &length.to_be_bytes(), bytes].concat()
}

fn strings(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| string(text.as_bytes())).collect()
}

/// A key of this kind with these bytes.
fn key(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &string(name.as_bytes()), value].concat()
}

/// Elements that are encoded already, but for the length of the one before.
fn ziplist(elements: &[Vec<u8>]) -> Vec<u8> {
    let (mut body, mut before, mut last) = (Vec::new(), 0, 0);
    for element in elements {
        last = body.len();
        match u8::try_from(before) {
            Ok(short) if short < 254 => body.push(short),
            _ => body.extend([&[254][..], &u32::try_from(before).expect("short").to_le_bytes()].concat()),
        }
        body.extend(element);
        before = body.len() - last;
    }
    let number = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
    let count = u16::try_from(elements.len()).expect("few").to_le_bytes();
    string(&[&number(body.len() + 11)[..], &number(10 + last), &count, &body, &[0xff]].concat())
}

fn text(text: &str) -> Vec<u8> {
    let (length, bytes) = (text.len(), text.as_bytes());
    match u8::try_from(length) {
        Ok(short) if short < 64 => [&[short], bytes].concat(),
        _ if length < 1 << 14 => [&(u16::try_from(length).expect("14 bits") | 0x4000).to_be_bytes(), bytes].concat(),
        _ => [&[0x80][..], &u32::try_from(length).expect("32 bits").to_be_bytes(), bytes].concat(),
    }
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|one| text(one)).collect()
}

/// Whole numbers in each of their forms.
fn numbers() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [0_u8, 1, 12].map(|small| vec![0xf1 + small]).into();
    all.push([&[0xfe][..], &(-5_i8).to_le_bytes()].concat());
    all.push([&[0xc0][..], &(-300_i16).to_le_bytes()].concat());
    all.push([&[0xf0][..], &(-40_000_i32).to_le_bytes()[..3]].concat());
    all.push([&[0xd0][..], &2_000_000_000_i32.to_le_bytes()].concat());
    all.push([&[0xe0][..], &(-9_000_000_000_i64).to_le_bytes()].concat());
    all
}

fn intset<const N: usize>(numbers: &[[u8; N]]) -> Vec<u8> {
    let (width, count) = (u32::try_from(N).expect("small"), u32::try_from(numbers.len()).expect("few"));
    string(&[&width.to_le_bytes()[..], &count.to_le_bytes(), &numbers.concat()].concat())
}

/// Texts and small numbers.
fn listpack(elements: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for element in elements {
        match element.parse::<u8>() {
            Ok(small) => body.extend([small, 1]),
            Err(_) => {
                let length = u8::try_from(element.len()).expect("short");
                body.push(0x80 | length);
                body.extend(element.as_bytes());
                body.push(length + 1);
            }
        }
    }
    let (length, count) = (u32::try_from(body.len() + 7).expect("short"), u16::try_from(elements.len()).expect("few"));
    string(&[&length.to_le_bytes()[..], &count.to_le_bytes(), &body, &[0xff]].concat())
}

/// A stream: two entries and one that is deleted, and a group with one entry that is not acknowledged. Redis 5 and 6 store it as kind
/// 15; kind 19 tells more of what was deleted, and kind 21 more of consumers too.
fn stream(kind: u8) -> Vec<u8> {
    let first = [7_u64.to_be_bytes(), 1_u64.to_be_bytes()].concat();
    let master = ["2", "1", "1", "sku", "0"];
    let (same, deleted) = (["2", "0", "0", "book", "4"], ["3", "0", "1", "pen", "4"]);
    let other = ["0", "9", "0", "2", "note", "x", "by", "ada", "8"];
    let node = [&master[..], &same, &deleted, &other].concat();
    let seen = 1_700_000_000_000_u64.to_le_bytes();
    let since = |first: u8, more: &[u8]| if kind >= first { more.to_vec() } else { Vec::new() };
    let pending = [&first[..], &seen, &[3]].concat();
    let consumer = [&[1][..], &string(b"ann"), &seen, &since(21, &seen), &[1], &first].concat();
    let group = [&[1][..], &string(b"shipping"), &[7, 1], &since(19, &[1]), &[1], &pending, &consumer].concat();
    let deleted = since(19, &[7, 1, 7, 2, 3]);
    [&[1][..], &string(&first), &listpack(&node), &[2], &[16, 1], &deleted, &group].concat()
}

fn rdb() -> Vec<u8> {
    let long = "x".repeat(300);
    let longest = "y".repeat(70_000 >> 2);
    let expires = 2_000_000_000_u32.to_le_bytes();
    let all = [
        b"REDIS0009".to_vec(),
        [&[0xfa][..], &strings(&["redis-ver", "6.2.0"])].concat(),
        vec![0xfe, 0, 0xfb, 10, 1],
        [&[0xfd][..], &expires, &[0xf8, 5], &key(1, "list", &[&[3][..], &strings(&["a", "7", ""])].concat())].concat(),
        [&[0xf9, 5][..], &key(2, "set", &[&[2][..], &strings(&["a", "b"])].concat())].concat(),
        key(
            3,
            "scores as text",
            &[&[3][..], &string(b"a"), b"\x031.5", &string(b"b"), &[254], &string(b"c"), &[255]].concat(),
        ),
        key(4, "hash", &[&[1][..], &strings(&["field", "value"])].concat()),
        key(10, "ziplist", &ziplist(&[texts(&["a", &long, "b", &longest, "c"]), numbers()].concat())),
        key(11, "numbers of 16 bits", &intset(&[(-2_i16).to_le_bytes(), 3_i16.to_le_bytes()])),
        key(11, "numbers of 32 bits", &intset(&[(-70_000_i32).to_le_bytes()])),
        key(11, "numbers of 64 bits", &intset(&[5_000_000_000_i64.to_le_bytes()])),
        key(12, "packed scores", &ziplist(&[texts(&["a", "1.5"]), vec![text("b"), vec![0xf4]]].concat())),
        key(13, "packed hash", &ziplist(&texts(&["name", "Ada", "born", "x"]))),
        key(14, "list of parts", &[&[2][..], &ziplist(&texts(&["a", "b"])), &ziplist(&numbers())].concat()),
        key(15, "stream", &stream(15)),
        vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    all.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_in_the_forms_of_older_servers_are_what_a_server_makes_of_them() {
    let fixture = Fixture::start().await;
    let facts = Facts::read(&rdb()[..], |_| true).expect("understood");
    assert_eq!((facts.keyspaces[&0].keys(), facts.keyspaces[&0].expiring), (12, 1));
    let index = Index { databases: vec![facts.database("6.2.0".into())], ..Index::new(Format::Rdb) };
    let restored = fixture.restore(&index, rdb()).await;
    assert_eq!(restored.differences(&index).await, []);
    let asked = "LINDEX ziplist -1\nSMEMBERS \"numbers of 32 bits\"\nXLEN stream\nZSCORE \"packed scores\" b";
    assert_eq!(restored.send(asked).await, "-9000000000\n-70000\n2\n3\n");
    restored.release().await;
}

/// Redis 7.2 packs small sets, and tells more of streams.
#[test]
fn values_in_the_forms_of_newer_servers_are_the_same() {
    let read = |keys: &[Vec<u8>]| {
        let rdb = [b"REDIS0011".to_vec(), keys.concat(), vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        Facts::read(&rdb[..], |_| true).expect("understood").keyspaces
    };
    let older = read(&[key(2, "set", &[&[2][..], &strings(&["a", "5"])].concat()), key(15, "stream", &stream(15))]);
    for kind in [19, 21] {
        assert_eq!(
            read(&[key(20, "set", &listpack(&["5", "a"])), key(kind, "stream", &stream(kind))]),
            older,
            "{kind}"
        );
    }
    assert_ne!(read(&[key(20, "set", &listpack(&["5", "b"])), key(21, "stream", &stream(21))]), older);
}

#[test]
fn an_rdb_cut_anywhere_or_with_more_behind_it_is_not_understood() {
    let whole = rdb();
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        Facts::read(&whole[..length], |_| true).expect_err("cut off");
    }
    let more = Facts::read(&[&whole[..], b"x"].concat()[..], |_| true).expect_err("more");
    assert_eq!(more.to_string(), "something follows its end");
}

#[test]
fn what_only_a_module_or_a_newer_drillctl_understands_is_named() {
    let said = |more: &[u8]| {
        let bytes = [b"REDIS0010\xfe\0", more].concat();
        let error = Facts::read(&bytes[..], |_| true).expect_err("not understood");
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported, "{error}");
        error.to_string()
    };
    // The type of RedisJSON, in version 3 of its encoding.
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = |letter: &u8| letters.iter().position(|other| other == letter).expect("a letter") as u64;
    let id = (b"ReJSON-RL".iter().fold(0, |id, letter| id << 6 | number(letter)) << 10 | 3).to_be_bytes();
    let value = [&[7][..], &string(b"doc"), &[0x81], &id].concat();
    assert_eq!(said(&value), "it holds values of the module type ReJSON-RL");
    assert_eq!(said(&[&[247, 0x81][..], &id].concat()), "it holds values of the module type ReJSON-RL");
    assert_eq!(
        said(&[&[99][..], &string(b"k")].concat()),
        "it holds a value of kind 99, which this drillctl doesn't know"
    );
    let newer = Facts::read(&b"REDIS0012"[..], |_| true).expect_err("too new");
    assert_eq!(newer.kind(), std::io::ErrorKind::Unsupported);
}
