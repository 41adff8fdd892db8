//! The formats of texts that the schema names, in one table: each is checked by the parser of its own type.

use crate::{Image, Name, Rate, Share, Size, Span, TimeOfDay};

struct Format {
    /// Name in the schema.
    name: &'static str,
    /// What people call it.
    called: &'static str,
    /// What is wrong with a text, if anything.
    wrong: fn(&str) -> Option<&'static str>,
    /// How to write it.
    example: &'static str,
    /// One that is right.
    sample: &'static str,
}

const FORMATS: [Format; 9] = [
    Format {
        name: "span",
        called: "a length of time",
        wrong: |text| match text.parse::<Span>() {
            Ok(span) if span.duration().is_zero() => Some("is no time at all"),
            Ok(_) => None,
            Err(_) => Some("is not a length of time"),
        },
        example: "Write numbers with units, the biggest first: `500ms`, `90s`, `15m`, `1h30m`, `7d`, `2w`.",
        sample: "1h",
    },
    Format {
        name: "rate",
        called: "a rate",
        wrong: |text| match text.parse::<Rate>() {
            Ok(_) => None,
            Err(why) if why.ends_with("lets nothing pass") => Some("lets nothing pass"),
            Err(_) => Some("is not a rate"),
        },
        example: "Write a whole number with its unit: `800KiB/s`, `50MiB/s`, `1GiB/s`.",
        sample: "50MiB/s",
    },
    Format {
        name: "share",
        called: "a share",
        wrong: |text| text.parse::<Share>().err().map(|_| "is not a share"),
        example: "Write whole percent, from `0%` to `100%`: `10%`.",
        sample: "10%",
    },
    Format {
        name: "size",
        called: "a size",
        wrong: |text| match text.parse::<Size>() {
            Ok(_) => None,
            Err(why) if why.ends_with("is nothing") => Some("is nothing"),
            Err(_) => Some("is not a size"),
        },
        example: "Write a whole number with its unit: `512MiB`, `2GiB`, `1TB`.",
        sample: "2GiB",
    },
    Format {
        name: "image",
        called: "an image by its digest",
        wrong: |text| text.parse::<Image>().err().map(|_| "is not an image by its digest"),
        example: "Write what `docker image inspect --format '{{.RepoDigests}} {{.Id}}' NAME` tells: a tag can come to mean another image.",
        sample: "wiki@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    },
    Format {
        name: "name",
        called: "a name",
        wrong: |text| Name::try_from(text.to_owned()).err().map(|_| "is not a name"),
        example: "Use 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends: `orders-db`.",
        sample: "orders-db",
    },
    Format {
        name: "time-of-day",
        called: "a time of day",
        wrong: |text| text.parse::<TimeOfDay>().err().map(|_| "is not a time of day"),
        example: "Write hours and minutes in quotes, from `\"00:00\"` to `\"24:00\"`: `\"08:00\"`.",
        sample: "08:00",
    },
    Format {
        name: "date",
        called: "a date",
        wrong: |text| match text.parse::<jiff::civil::Date>() {
            Ok(_) if text.len() == "2027-01-31".len() => None,
            _ => Some("is not a date"),
        },
        example: "Write year, month and day of a day that exists: `2027-01-31`.",
        sample: "2027-01-31",
    },
    Format {
        name: "date-time",
        called: "an instant",
        wrong: |text| text.parse::<jiff::Timestamp>().err().map(|_| "is not an instant"),
        example: "Write date, time and offset: `2027-01-31T03:00:00Z`, `2027-01-31T04:00:00+01:00`.",
        sample: "2027-01-31T03:00:00Z",
    },
];

fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// What is wrong with a text of this format, and how to write it; `None` if nothing is.
pub(crate) fn wrong(name: &str, text: &str) -> Option<(String, &'static str)> {
    let format = find(name)?;
    let wrong = (format.wrong)(text)?;
    Some((format!("{wrong}: `{text}`"), format.example))
}

/// What people call a text of this format.
pub(crate) fn called(name: &str) -> &'static str {
    find(name).map_or("text", |format| format.called)
}

/// How to write a text of this format.
pub(crate) fn example(name: &str) -> &'static str {
    find(name).map_or("Write text.", |format| format.example)
}

/// A text of this format that is right.
pub(crate) fn sample(name: &str) -> &'static str {
    find(name).map_or("something", |format| format.sample)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    fn formats(value: &Value, found: &mut Vec<String>) {
        if let Some(Value::String(name)) = value.get("format") {
            found.push(name.clone());
        }
        match value {
            Value::Object(map) => map.values().for_each(|v| formats(v, found)),
            Value::Array(items) => items.iter().for_each(|v| formats(v, found)),
            _ => {}
        }
    }

    #[test]
    fn every_format_of_the_schema_is_checked() {
        let mut found = Vec::new();
        formats(&crate::schema(), &mut found);
        formats(&crate::site_schema(), &mut found);
        assert!(!found.is_empty());
        for name in found {
            assert!(super::find(&name).is_some(), "{name}");
            assert_eq!(super::wrong(&name, super::sample(&name)), None, "{name}");
        }
    }
}
