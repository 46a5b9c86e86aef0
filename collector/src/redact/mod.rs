//! Removes secrets from environments and arguments, before anything of them is kept.
//!
//! The name before a value decides: `DB_PASSWORD=…`, `--api-key=…`, `--token …`, `Authorization: …`, `?a=1&api_key=…`, and the
//! password of a URL. A secret without a name cannot be distinguished from any other text, nor can the value of an option of
//! one letter (`-pSECRET`), which means something else to every program.

mod name_list;
mod redactor;
mod url;
mod words;

pub use self::{
    redactor::{Mode, Redactor},
    words::{HARMLESS, REDACTED, SECRET},
};
