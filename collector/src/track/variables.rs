//! The environment of an exec, with secrets removed.

use std::rc::Rc;

use crate::{
    event::{Shared, Strings},
    fact::Fact,
    interned::Interned,
    procfs::split_nul,
    redact::Redactor,
};

/// Environments that are cached.
const CACHED: usize = 64;
/// Bytes of the largest environment that is cached.
const CACHED_BYTES: usize = 16 << 10;

/// The environment, in order. The exec's own event has it; the table does not keep it.
pub(crate) type Environment = Fact<Rc<Variables>>;

/// Variables of an environment.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    /// Each variable as events show it.
    pub shown: Shared<Strings>,
    /// Variables whose shown form is not exact: their places and exact bytes.
    pub inexact: Vec<(usize, Box<[u8]>)>,
    /// Places of variables whose value was hidden.
    pub redacted: Vec<usize>,
}

impl Variables {
    /// From strings that each end in NUL.
    fn new(bytes: &[u8], redactor: &Redactor) -> Self {
        let (mut shown, mut inexact, mut redacted) =
            (String::with_capacity(bytes.len()), Vec::new(), Vec::new());
        for (place, variable) in split_nul(bytes).enumerate() {
            let (kept, hidden) = redactor.variable(variable);
            let text = String::from_utf8_lossy(&kept);
            inexact.extend((text.as_bytes() != &*kept).then(|| (place, (&*kept).into())));
            redacted.extend(hidden.then_some(place));
            shown.extend([&text, "\0"]);
        }
        Self { shown: Strings::new(&shown).into(), inexact, redacted }
    }
}

/// The cache of environments: short processes come in thousands and have the same one.
#[derive(Debug)]
pub(super) struct Environments(Interned<Box<[u8]>, Rc<Variables>>);

impl Default for Environments {
    fn default() -> Self {
        Self(Interned::new(CACHED))
    }
}

impl Environments {
    /// The variables of an environment. One with a hidden value is not cached, because the cache keeps its bytes.
    pub(super) fn variables(&mut self, bytes: &[u8], redactor: &Redactor) -> Rc<Variables> {
        if let Some(variables) = self.0.get(bytes) {
            return variables;
        }
        let variables = Rc::new(Variables::new(bytes, redactor));
        if variables.redacted.is_empty() && bytes.len() <= CACHED_BYTES {
            self.0.insert(bytes.into(), variables.clone());
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::Environments;
    use crate::redact::{Mode, Redactor};

    #[test]
    fn an_environment_with_a_secret_is_not_cached() {
        let redactor = Redactor::new(Mode::Names, &["PASSWORD".to_owned()], &[]);
        let mut environments = Environments::default();
        environments.variables(b"PASSWORD=x\0", &redactor);
        environments.variables(b"HOME=/\0", &redactor);
        assert!(environments.0.get(&b"PASSWORD=x\0"[..]).is_none());
        assert!(environments.0.get(&b"HOME=/\0"[..]).is_some());
    }
}
