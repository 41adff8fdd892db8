//! Files of age that something else has sealed: one whole file, armored or not, of any length.

use std::io::{BufReader, Read};

use age::armor::ArmoredReader;

use super::envelope::{Fault, fault};
use super::identity::Identity;

/// What is inside a sealed file, as it is read.
///
/// # Errors
/// [`Fault::NoMatch`] if none of the identities opens it; [`Fault::Damaged`] for what is no such file.
pub(super) fn open<'a>(identities: &[Identity], sealed: impl Read + 'a) -> Result<Box<dyn Read + 'a>, Fault> {
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(BufReader::new(sealed))).map_err(fault)?;
    let identities = identities.iter().map(|identity| identity.unwraps.as_ref() as &dyn age::Identity);
    Ok(Box::new(decryptor.decrypt(identities).map_err(fault)?))
}
