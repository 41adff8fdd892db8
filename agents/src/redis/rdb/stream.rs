//! A stream: its entries in their order, the last id that was given, and its consumer groups with what they have not acknowledged.
//!
//! What the server keeps for its own use, and an older version doesn't have, is left out: how many entries were ever added, the
//! greatest id that was deleted, how many a group has read, and when a consumer was seen.

use std::borrow::Cow;
use std::io::{self, Read};

use super::input::{Input, malformed};
use super::listpack;
use crate::fingerprint::{Fingerprint, Sequence};

/// Since Redis 7 streams tell more of what was deleted, since 7.2 more of consumers.
const WITH_DELETED: u8 = 19;
const WITH_ACTIVE: u8 = 21;

/// Flags of an entry.
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// Milliseconds and number.
type Id = (u64, u64);

/// The fingerprint of a stream that is stored as this kind.
pub(super) fn read<R: Read>(input: &mut Input<R>, kind: u8) -> io::Result<Fingerprint> {
    let mut all = Sequence::default();
    for _ in 0..input.length()? {
        let first: [u8; 16] = input.string()?.try_into().map_err(|_| malformed("an entry of a stream has no id"))?;
        entries(id(first), &input.string()?, &mut all)?;
    }
    input.length()?;
    let last = [input.length()?, input.length()?];
    last.iter().for_each(|part| all.push(&part.to_be_bytes()));
    if kind >= WITH_DELETED {
        (0..5).try_for_each(|_| input.length().map(drop))?;
    }
    let mut groups = Fingerprint::default();
    for _ in 0..input.length()? {
        groups.add(group(input, kind)?);
    }
    all.push(&groups.to_bytes());
    Ok(all.finish())
}

fn id(bytes: [u8; 16]) -> Id {
    let whole = u128::from_be_bytes(bytes);
    ((whole >> 64) as u64, whole as u64)
}

/// The entries of one listpack, which are told relative to the first id and to the fields that stand before them.
fn entries((first_ms, first_number): Id, packed: &[u8], all: &mut Sequence) -> io::Result<()> {
    let mut elements = listpack::elements(packed)?.into_iter();
    let (live, deleted) = (int(&mut elements)?, int(&mut elements)?);
    let common = several(&mut elements, 1)?;
    next(&mut elements)?;
    for _ in 0..live.saturating_add(deleted) {
        let flags = int(&mut elements)?;
        let ms = first_ms.wrapping_add_signed(int(&mut elements)?);
        let number = first_number.wrapping_add_signed(int(&mut elements)?);
        let fields = match flags & SAME_FIELDS {
            0 => several(&mut elements, 2)?,
            _ => with_values(&common, &mut elements)?,
        };
        next(&mut elements)?;
        if flags & DELETED == 0 {
            all.push(&ms.to_be_bytes());
            all.push(&number.to_be_bytes());
            all.push(&(fields.len() as u64).to_be_bytes());
            fields.iter().for_each(|text| all.push(text));
        }
    }
    Ok(())
}

fn next<'a>(elements: &mut impl Iterator<Item = Cow<'a, [u8]>>) -> io::Result<Cow<'a, [u8]>> {
    elements.next().ok_or_else(|| malformed("a part of a stream is cut off"))
}

fn int<'a>(elements: &mut impl Iterator<Item = Cow<'a, [u8]>>) -> io::Result<i64> {
    let text = next(elements)?;
    let parsed = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| malformed("a number in a stream is none"))
}

/// As many texts as the number before them says, or so many times as many.
fn several<'a>(elements: &mut impl Iterator<Item = Cow<'a, [u8]>>, each: i64) -> io::Result<Vec<Cow<'a, [u8]>>> {
    let count = int(elements)?.saturating_mul(each);
    (0..count).map(|_| next(elements)).collect()
}

/// These fields, each with the next text as its value.
fn with_values<'a>(
    fields: &[Cow<'a, [u8]>],
    elements: &mut impl Iterator<Item = Cow<'a, [u8]>>,
) -> io::Result<Vec<Cow<'a, [u8]>>> {
    let mut all = Vec::new();
    for field in fields {
        all.extend([field.clone(), next(elements)?]);
    }
    Ok(all)
}

/// A group: its name, where it stands, what was delivered and not acknowledged, and to which consumer.
fn group<R: Read>(input: &mut Input<R>, kind: u8) -> io::Result<Fingerprint> {
    let mut group = Sequence::default();
    group.push(&input.string()?);
    for _ in 0..2 {
        group.push(&input.length()?.to_be_bytes());
    }
    if kind >= WITH_DELETED {
        input.length()?;
    }
    for _ in 0..input.length()? {
        group.push(&input.bytes::<16>()?);
        let (delivered_ms, times): ([u8; 8], _) = (input.bytes()?, input.length()?);
        group.push(&delivered_ms);
        group.push(&times.to_be_bytes());
    }
    let mut consumers = Fingerprint::default();
    for _ in 0..input.length()? {
        consumers.add(consumer(input, kind)?);
    }
    group.push(&consumers.to_bytes());
    Ok(group.finish())
}

fn consumer<R: Read>(input: &mut Input<R>, kind: u8) -> io::Result<Fingerprint> {
    let mut consumer = Sequence::default();
    consumer.push(&input.string()?);
    let _seen: [u8; 8] = input.bytes()?;
    if kind >= WITH_ACTIVE {
        let _active: [u8; 8] = input.bytes()?;
    }
    for _ in 0..input.length()? {
        consumer.push(&input.bytes::<16>()?);
    }
    Ok(consumer.finish())
}
