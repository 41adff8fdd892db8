//! The reference pages: every field of a scenario with every kind, and every field of a site, as Markdown, made from the schemas.

use serde_json::Value;

use crate::facts::FACTS;
use crate::kinds::{FAMILIES, Field, fields, shape, words};
use crate::observed::observed;
use crate::schema::{Variant, follow, schema, site_schema, variants};

const INTRODUCTION: &str = "# Scenario reference

Every field of a scenario, made from the program's own types by `UPDATE=1 cargo nextest run -p drill-scenarios generated`;
don't edit it. `drillctl kinds` prints the kinds, `drillctl schema` the JSON Schema for editors: put

```yaml
# yaml-language-server: $schema=drill.schema.json
```

in the first line of a scenario to have fields completed and checked while you write.

A **length of time** is written as numbers with units, the biggest first: `500ms`, `90s`, `15m`, `1h30m`, `7d`, `2w`. A
**rate** is a whole number of bytes a second with its unit: `800KiB/s`, `50MiB/s`, `1GB/s`; a **size** one of bytes: `2GiB`. A
**share** is a part of a whole in whole percent: `10%`. Paths are relative to the folder of the scenario file unless the field
says otherwise. A choice of kinds is written as the kind's word with its fields below it:

```yaml
source:
  directory:
    path: /srv/app
```
";

const SITE_INTRODUCTION: &str = "# Site reference

Every field of a site file, made from the program's own types by `UPDATE=1 cargo nextest run -p drill-scenarios generated`;
don't edit it. What it is for, with examples: [schedules](schedules.md). `drillctl schema site` prints the JSON Schema for editors: put

```yaml
# yaml-language-server: $schema=site.schema.json
```

in its first line. A **length of time** is written as numbers with units, the biggest first: `90s`, `15m`, `1h30m`, `7d`. A **time of day**
is written in quotes: `\"08:00\"`.
";

const FACTS_SECTION: &str = "
## Facts

What an environment is told about itself: environment variables of every program that runs in it, and `${NAME}` in the texts
of `app` and of probes. `$$` stands for a dollar; a dollar before anything else is left alone.

| fact | what it says | scratch |
| --- | --- | --- |
";

/// The definitions in the order of the page. A family of kinds has a section a kind.
const SECTIONS: [&str; 36] = [
    "Source",
    "PostgresMethod",
    "Content",
    "Select",
    "OwnCheck",
    "RecoverTo",
    "Vault",
    "Checksum",
    "Seal",
    "Reference",
    "Scratch",
    "FurtherSystem",
    "Sandbox",
    "Verify",
    "Level",
    "App",
    "Container",
    "Ready",
    "Check",
    "Probe",
    "Method",
    "Condition",
    "Objectives",
    "Newest",
    "History",
    "Schedule",
    "Period",
    "CatchUp",
    "Retry",
    "Deadlines",
    "Limits",
    "IoClass",
    "Keep",
    "Framework",
    "Exception",
    "Criticality",
];

/// The definitions of a site, in the order of its page.
const SITE_SECTIONS: [&str; 10] =
    ["Blackout", "When", "Weekly", "Weekday", "CronWindow", "Days", "Between", "CalendarFile", "Freeze", "AtOnce"];

/// The reference of site files as one Markdown page.
pub fn site_reference() -> String {
    sections(&site_schema(), format!("{SITE_INTRODUCTION}\n## Site\n\n"), &SITE_SECTIONS)
}

/// The reference of the scenario language as one Markdown page.
pub fn reference() -> String {
    let root = schema();
    let mut page = sections(&root, format!("{INTRODUCTION}\n## Scenario\n\n"), &SECTIONS);
    page.push_str(FACTS_SECTION);
    for fact in FACTS {
        let scratch = fact.scratch.map_or_else(|| "any".into(), |kind| format!("`{kind}`"));
        page.push_str(&format!("| `${{{}}}` | {} | {scratch} |\n", fact.name, fact.summary));
    }
    page
}

/// The fields of the whole, then a section a definition.
fn sections(root: &Value, beginning: String, names: &[&str]) -> String {
    let mut page = format!("{beginning}{}\n\n{}", text(root, "description"), table(&fields(root, root)));
    for name in names {
        let definition = &root["$defs"][*name];
        let heading = format!("\n## {}\n\n{}\n\n", title(name), text(definition, "description"));
        page.push_str(&heading);
        page.push_str(&match FAMILIES.iter().find(|(_, family)| family == name) {
            Some((family, _)) => family_of_kinds(root, family, definition),
            None if definition["oneOf"].is_array() => words_table(root, &variants(definition)),
            None => table(&fields(root, definition)),
        });
    }
    page
}

fn family_of_kinds(root: &Value, family: &str, definition: &Value) -> String {
    let found = variants(definition);
    let links = found.iter().map(|kind| format!("* [`{0}`](#{family}-{0}): {1}\n", kind.word, kind.summary));
    let mut section: String = links.collect();
    for kind in &found {
        section.push_str(&format!("\n### {} `{}`\n\n{}\n\n", title(family), kind.word, kind.summary));
        let below = kind.fields.map(|fields| follow(root, fields)).unwrap_or(&Value::Null);
        if below["properties"].is_object() {
            section.push_str(&table(&fields(root, below)));
        } else {
            section.push_str(&format!("Written as one text: `{family}: {{{}: …}}`.\n", kind.word));
        }
        if family == "probe" {
            section.push_str(&observations(kind.word));
        }
    }
    section
}

fn observations(kind: &str) -> String {
    let mut table = String::from("\n| observed | what it says |\n| --- | --- |\n");
    for value in observed(kind) {
        let rest = if value.name.ends_with('.') { "<name>" } else { "" };
        table.push_str(&format!("| `{}{rest}` | {} |\n", value.name, value.summary));
    }
    table
}

fn table(fields: &[Field]) -> String {
    let mut table = String::from("| field | value | default | what it says |\n| --- | --- | --- | --- |\n");
    for field in fields {
        let value = match &field.definition {
            Some(name) => format!("[{}](#{})", field.shape, anchor(name)),
            None => field.shape.clone(),
        };
        let default = match &field.default {
            _ if field.required => "**required**".into(),
            Some(value) => default(value),
            None => String::new(),
        };
        table.push_str(&format!("| `{}` | {value} | {default} | {} |\n", field.name, cell(&field.summary)));
    }
    table
}

/// A default, unless it is a mapping: then its own section says what its fields are by default.
fn default(value: &Value) -> String {
    match value {
        Value::Object(_) => String::new(),
        Value::String(text) => format!("`{text}`"),
        plain => format!("`{plain}`"),
    }
}

fn words_table(root: &Value, choices: &[Variant<'_>]) -> String {
    let mut table = String::from("| word | what it says |\n| --- | --- |\n");
    for choice in choices {
        let written = match choice.fields {
            Some(below) => format!("`{}:` {}", choice.word, shape(root, below)),
            None => format!("`{}`", choice.word),
        };
        table.push_str(&format!("| {written} | {} |\n", cell(choice.summary)));
    }
    table
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", "<br>")
}

/// `PostgresSource` as a heading: "Postgres source".
fn title(name: &str) -> String {
    let words = words(name);
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn anchor(name: &str) -> String {
    words(name).replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{SECTIONS, SITE_SECTIONS, reference, site_reference};
    use crate::kinds::FAMILIES;
    use crate::schema::{definition, schema, site_schema, variants};

    /// The definitions with fields or words.
    fn speaking(root: &Value) -> impl Iterator<Item = &String> {
        let definitions = root["$defs"].as_object().expect("a valid one").iter();
        let speaks = |(_, schema): &(_, &Value)| schema["properties"].is_object() || schema["oneOf"].is_array();
        definitions.filter(speaks).map(|(name, _)| name)
    }

    #[test]
    fn every_definition_with_fields_or_words_has_its_section() {
        let root = schema();
        let kinds: Vec<String> = FAMILIES
            .iter()
            .flat_map(|(_, family)| variants(&root["$defs"][*family]))
            .filter_map(|kind| definition(kind.fields?).map(String::from))
            .collect();
        for name in speaking(&root) {
            assert!(SECTIONS.contains(&name.as_str()) || kinds.contains(name), "{name}");
        }
        for name in speaking(&site_schema()) {
            assert!(SITE_SECTIONS.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn every_link_leads_to_a_heading() {
        for (page, least) in [(reference(), 30), (site_reference(), 4)] {
            let headings = page.lines().filter(|line| line.starts_with('#'));
            let anchor =
                |line: &str| line.trim_start_matches(['#', ' ']).to_lowercase().replace('`', "").replace(' ', "-");
            let anchors: Vec<String> = headings.map(anchor).collect();
            let links: Vec<&str> = page.split("](#").skip(1).filter_map(|link| link.split(')').next()).collect();
            for target in &links {
                assert!(anchors.iter().any(|anchor| anchor == target), "{target}");
            }
            assert!(links.len() > least, "{links:?}");
        }
    }
}
