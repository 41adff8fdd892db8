//! What a key holds, as a fingerprint of what whoever asks would get: the same however the server stores it.

use std::borrow::Cow;
use std::io::{self, Read};

use super::input::{Input, malformed, number};
use super::{intset, listpack, stream, ziplist};
use crate::fingerprint::{Fingerprint, Sequence};
use crate::keyspace::ValueType;

/// Type and content of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) holds: ValueType,
    pub(crate) fingerprint: Fingerprint,
}

/// The kinds of value that are modules' own, before and since Redis 4.
const MODULES: [u8; 2] = [6, 7];
/// A big element of a list that stands by itself, and several packed in a listpack.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

impl Value {
    /// The value that is stored as this kind; the numbers are those of `RDB_TYPE_…` in `rdb.h`.
    pub(super) fn read<R: Read>(input: &mut Input<R>, kind: u8) -> io::Result<Self> {
        let (holds, fingerprint) = match kind {
            0 => (ValueType::String, Fingerprint::of([&input.string()?[..]])),
            1 => (ValueType::List, list(strings(input)?)?),
            2 => (ValueType::Set, set(strings(input)?)?),
            3 => (ValueType::SortedSet, scored(input, Input::text_number)?),
            4 => (ValueType::Hash, fields(input)?),
            5 => (ValueType::SortedSet, scored(input, |input| input.bytes().map(f64::from_le_bytes))?),
            10 => (ValueType::List, list(packed(ziplist::elements(&input.string()?)?))?),
            11 => (ValueType::Set, set(intset::elements(&input.string()?)?.into_iter().map(Ok))?),
            12 => (ValueType::SortedSet, packed_scores(&ziplist::elements(&input.string()?)?)?),
            13 => (ValueType::Hash, hash(packed(ziplist::elements(&input.string()?)?))?),
            14 => (ValueType::List, list_of_ziplists(input)?),
            16 => (ValueType::Hash, hash(packed(listpack::elements(&input.string()?)?))?),
            17 => (ValueType::SortedSet, packed_scores(&listpack::elements(&input.string()?)?)?),
            18 => (ValueType::List, list_of_listpacks(input)?),
            20 => (ValueType::Set, set(packed(listpack::elements(&input.string()?)?))?),
            15 | 19 | 21 => (ValueType::Stream, stream::read(input, kind)?),
            _ if MODULES.contains(&kind) => return Err(of_module(input)),
            _ => return Err(unknown(format!("it holds a value of kind {kind}, which this drillctl doesn't know"))),
        };
        Ok(Self { holds, fingerprint })
    }
}

/// What a module made can't be told from outside of it.
fn of_module<R: Read>(input: &mut Input<R>) -> io::Error {
    match input.length() {
        Ok(id) => module(id),
        Err(error) => error,
    }
}

/// The error that a value of a module is. The upper 54 bits of its id are a name of nine letters.
pub(super) fn module(id: u64) -> io::Error {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |at: u32| char::from(LETTERS[usize::try_from(id >> (10 + 6 * at)).unwrap_or_default() & 0x3f]);
    let name: String = (0..9).rev().map(letter).collect();
    unknown(format!("it holds values of the module type {name}"))
}

fn unknown(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// So many strings as the number before them says.
fn strings<R: Read>(input: &mut Input<R>) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
    let count = input.length()?;
    Ok((0..count).map(move |_| input.string()))
}

fn packed(elements: Vec<Cow<'_, [u8]>>) -> impl Iterator<Item = io::Result<Cow<'_, [u8]>>> {
    elements.into_iter().map(Ok)
}

fn list<T: AsRef<[u8]>>(elements: impl Iterator<Item = io::Result<T>>) -> io::Result<Fingerprint> {
    let mut sequence = Sequence::default();
    for element in elements {
        sequence.push(element?.as_ref());
    }
    Ok(sequence.finish())
}

fn set<T: AsRef<[u8]>>(elements: impl Iterator<Item = io::Result<T>>) -> io::Result<Fingerprint> {
    let mut sum = Fingerprint::default();
    for element in elements {
        sum.add(Fingerprint::of([element?.as_ref()]));
    }
    Ok(sum)
}

/// Fields, each with its value after it.
fn hash<T: AsRef<[u8]>>(mut elements: impl Iterator<Item = io::Result<T>>) -> io::Result<Fingerprint> {
    let mut sum = Fingerprint::default();
    while let Some(field) = elements.next() {
        let value = elements.next().ok_or_else(|| malformed("a field of a hash has no value"))?;
        sum.add(Fingerprint::of([field?.as_ref(), value?.as_ref()]));
    }
    Ok(sum)
}

fn fields<R: Read>(input: &mut Input<R>) -> io::Result<Fingerprint> {
    let mut sum = Fingerprint::default();
    for _ in 0..input.length()? {
        let (field, value) = (input.string()?, input.string()?);
        sum.add(Fingerprint::of([&field[..], &value]));
    }
    Ok(sum)
}

fn scored<R: Read>(input: &mut Input<R>, score: impl Fn(&mut Input<R>) -> io::Result<f64>) -> io::Result<Fingerprint> {
    let mut sum = Fingerprint::default();
    for _ in 0..input.length()? {
        let member = input.string()?;
        sum.add(member_of(&member, score(input)?));
    }
    Ok(sum)
}

fn packed_scores(elements: &[Cow<'_, [u8]>]) -> io::Result<Fingerprint> {
    let mut sum = Fingerprint::default();
    for pair in elements.chunks(2) {
        let [member, score] = pair else { return Err(malformed("a member of a sorted set has no score")) };
        sum.add(member_of(member, number(score)?));
    }
    Ok(sum)
}

fn member_of(member: &[u8], score: f64) -> Fingerprint {
    Fingerprint::of([member, &score.to_be_bytes()])
}

fn list_of_ziplists<R: Read>(input: &mut Input<R>) -> io::Result<Fingerprint> {
    let mut sequence = Sequence::default();
    for _ in 0..input.length()? {
        for element in ziplist::elements(&input.string()?)? {
            sequence.push(&element);
        }
    }
    Ok(sequence.finish())
}

fn list_of_listpacks<R: Read>(input: &mut Input<R>) -> io::Result<Fingerprint> {
    let mut sequence = Sequence::default();
    for _ in 0..input.length()? {
        let (container, node) = (input.length()?, input.string()?);
        match container {
            PLAIN => sequence.push(&node),
            PACKED => listpack::elements(&node)?.iter().for_each(|element| sequence.push(element)),
            other => return Err(malformed(format!("a list has a part of the unknown kind {other}"))),
        }
    }
    Ok(sequence.finish())
}
