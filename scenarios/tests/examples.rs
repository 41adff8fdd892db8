//! The example scenarios, the generated files beside them, and that the schema and the parser agree on them.

use std::fs;
use std::path::{Path, PathBuf};

use drill_scenarios::{Calendar, parse, parse_site, reference, schema, site_reference, site_schema};

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn examples() -> Vec<(String, String)> {
    let mut found: Vec<_> = fs::read_dir(here(""))
        .expect("the folder of examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml") && !path.ends_with("site.yaml"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("an example")))
        .collect();
    found.sort();
    assert!(found.len() >= 5, "the examples have moved: {found:?}");
    found
}

#[test]
fn every_example_parses() {
    for (name, text) in examples() {
        if let Err(problems) = parse(&name, &text) {
            panic!("{problems}");
        }
    }
}

#[test]
fn every_example_fits_the_schema_and_names_it() {
    let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
    for (name, text) in examples() {
        assert!(text.starts_with("# yaml-language-server: $schema=drill.schema.json\n"), "{name} lacks its first line");
        let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
        let wrong: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}

#[test]
fn an_example_is_the_same_after_it_was_written_as_json() {
    for (name, text) in examples() {
        let scenario = parse(&name, &text).expect("a scenario");
        let json = serde_json::to_string_pretty(&scenario).expect("JSON");
        assert_eq!(parse(&name, &json).expect("JSON is YAML"), scenario, "{name}");
    }
}

#[test]
fn the_example_of_a_site_parses_and_fits_its_schema_and_its_calendar_is_understood() {
    let text = fs::read_to_string(here("site.yaml")).expect("the example");
    let site = parse_site("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(text.starts_with("# yaml-language-server: $schema=site.schema.json\n"));
    let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    assert!(jsonschema::validator_for(&site_schema()).expect("a valid schema").is_valid(&value));
    assert_eq!(site.calendars().len(), 1);
    for file in site.calendars() {
        let text = fs::read_to_string(here("").join(file)).expect("the calendar");
        let calendar = Calendar::parse(&text, &site.timezone).unwrap_or_else(|refused| panic!("{refused}"));
        assert!(calendar.events() > 3);
    }
}

#[test]
fn generated_files_are_up_to_date() {
    let pretty = |schema| format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
    for (file, wanted) in [
        ("drill.schema.json", pretty(schema())),
        ("site.schema.json", pretty(site_schema())),
        ("../docs/reference.md", reference()),
        ("../docs/site-reference.md", site_reference()),
    ] {
        let path = here(file);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
            fs::write(&path, &wanted).expect("the generated file");
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == wanted, "{file} is old: run `UPDATE=1 cargo nextest run -p drill-scenarios generated`");
    }
}
