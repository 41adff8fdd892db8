//! Frameworks of controls, and how each writes the ids of its controls.

use std::sync::LazyLock;

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A framework of controls, in the edition that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Framework {
    /// ISO/IEC 27001:2022, Annex A.
    #[serde(rename = "iso-27001-2022")]
    Iso27001,
    /// NIST Cybersecurity Framework 2.0.
    #[serde(rename = "nist-csf-2.0")]
    NistCsf,
    /// NIST SP 800-53, revision 5.
    #[serde(rename = "nist-800-53-r5")]
    Nist80053,
    /// SOC 2, Trust Services Criteria.
    #[serde(rename = "soc-2")]
    Soc2,
    /// CIS Controls, version 8.1.
    #[serde(rename = "cis-8.1")]
    Cis,
    /// Regulation (EU) 2022/2554.
    #[serde(rename = "dora")]
    Dora,
    /// Implementing Regulation (EU) 2024/2690 under NIS2.
    #[serde(rename = "nis2")]
    Nis2,
    /// HIPAA Security Rule.
    #[serde(rename = "hipaa")]
    Hipaa,
    /// PCI DSS 4.0.1.
    #[serde(rename = "pci-dss-4.0.1")]
    PciDss,
}

/// How a framework writes its ids: an expression for all of an id, and examples.
type Syntax = (Framework, &'static str, &'static str);

const SYNTAX: [Syntax; 9] = [
    (Framework::Iso27001, r"A\.[5-8]\.[1-9][0-9]?|(?:[4-9]|10)(?:\.[1-9]){0,2}", "`A.8.13`, or a clause such as `9.1`"),
    (Framework::NistCsf, r"(?:GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-[0-9]{2}", "`PR.DS-11`"),
    (Framework::Nist80053, r"[A-Z]{2}-[1-9][0-9]?(?:\([1-9][0-9]?\))?", "`CP-4` or `CP-4(3)`"),
    (Framework::Soc2, r"(?:CC[1-9]|A1|C1|PI1|P[1-8])\.[0-9]{1,2}", "`A1.3` or `CC7.5`"),
    (Framework::Cis, r"(?:[1-9]|1[0-8])\.[1-9][0-9]?", "`11.5`"),
    (Framework::Dora, r"(?:Art\. )?[1-9][0-9]?(?:\([1-9][0-9]?\))?(?:\([a-z]\))?", "`Art. 12(2)`"),
    (Framework::Nis2, r"(?:Annex )?[1-9][0-9]?(?:\.[1-9][0-9]?){0,3}(?:\([a-z]\))?", "`Annex 4.2.6`"),
    (Framework::Hipaa, r"164\.3[0-9]{2}(?:\([0-9A-Za-z]+\))*", "`164.308(a)(7)(ii)(D)`"),
    (Framework::PciDss, r"(?:[1-9]|1[0-2])(?:\.[1-9][0-9]?){0,3}", "`12.10.2`"),
];

static EXPRESSIONS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    SYNTAX.iter().map(|(_, id, _)| Regex::new(&format!("^(?:{id})$")).expect("a constant expression")).collect()
});

impl Framework {
    /// Whether this is how the framework writes an id. Whether there is such a control is for the catalogue to say.
    pub fn writes(self, id: &str) -> bool {
        SYNTAX.iter().zip(EXPRESSIONS.iter()).any(|((which, ..), regex)| *which == self && regex.is_match(id))
    }

    /// Examples of its ids, for people.
    pub fn examples(self) -> &'static str {
        SYNTAX.iter().find(|(which, ..)| *which == self).map_or("", |(.., examples)| examples)
    }

    /// The name under which a scenario writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iso27001 => "iso-27001-2022",
            Self::NistCsf => "nist-csf-2.0",
            Self::Nist80053 => "nist-800-53-r5",
            Self::Soc2 => "soc-2",
            Self::Cis => "cis-8.1",
            Self::Dora => "dora",
            Self::Nis2 => "nis2",
            Self::Hipaa => "hipaa",
            Self::PciDss => "pci-dss-4.0.1",
        }
    }
}

/// Schema of lists of ids by framework.
pub(crate) fn by_framework(generator: &mut SchemaGenerator) -> Schema {
    let framework = generator.subschema_for::<Framework>();
    json_schema!({
        "type": "object",
        "propertyNames": framework,
        "additionalProperties": { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
    })
}

#[cfg(test)]
mod tests {
    use super::Framework;

    #[test]
    fn ids_are_written_as_their_framework_writes_them() {
        let good = [
            (Framework::Iso27001, ["A.8.13", "A.5.30", "9.1"]),
            (Framework::NistCsf, ["PR.DS-11", "RC.RP-03", "GV.OC-04"]),
            (Framework::Nist80053, ["CP-4", "CP-4(3)", "SC-28(1)"]),
            (Framework::Soc2, ["A1.3", "CC7.5", "CC4.1"]),
            (Framework::Cis, ["11.5", "11.1", "3.4"]),
            (Framework::Dora, ["Art. 12(2)", "11(6)", "24(4)"]),
            (Framework::Nis2, ["4.2.6", "4.1.4", "4.2"]),
            (Framework::Hipaa, ["164.308(a)(7)(ii)(D)", "164.308(a)(7)(ii)(B)", "164.310"]),
            (Framework::PciDss, ["12.10.1", "10.5.1", "12"]),
        ];
        for (framework, ids) in good {
            for id in ids {
                assert!(framework.writes(id), "{} {id}", framework.as_str());
            }
            for id in ["", "8.13.", "A.9.1", "PR.DS", "CP 4", "Article 12(2)", "A.8.13 and more"] {
                assert!(!framework.writes(id), "{} {id}", framework.as_str());
            }
        }
    }

    #[test]
    fn its_name_is_the_one_that_a_scenario_writes() {
        for (framework, ..) in super::SYNTAX {
            assert_eq!(serde_json::to_value(framework).expect("a valid one"), framework.as_str());
        }
    }
}
