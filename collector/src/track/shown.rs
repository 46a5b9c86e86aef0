//! Event parts that many events share, cached with the process that they describe.
//!
//! The tracker carries them and does not look into them. An entry of the table is immutable, so they never get stale: an exec
//! or another name replaces the entry.

use std::{
    borrow::Cow,
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use crate::{
    event::{Ancestor, Parent, Shared},
    fact::Reason,
};

/// What is above the children of a process, from the process up.
#[derive(Debug)]
pub(crate) struct Above {
    /// `process.ancestors`
    pub ancestors: Shared<Vec<Shared<Ancestor>>>,
    /// Fields that are absent, and why.
    pub missing: Vec<(Cow<'static, str>, Reason)>,
    /// How many ancestors there are, if `ancestors` does not have them all.
    pub full: Option<u64>,
}

/// A process as it appears on the events of its descendants. Each part is made when the first event needs it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    parent: OnceCell<Shared<Parent>>,
    ancestor: OnceCell<Shared<Ancestor>>,
    /// With the [`Table::chain_generation`](crate::process::Table::chain_generation) that it belongs to.
    above: RefCell<Option<(u64, Rc<Above>)>>,
}

impl Shown {
    /// `process.parent` of its children.
    pub(crate) fn parent(&self, make: impl FnOnce() -> Parent) -> Shared<Parent> {
        self.parent.get_or_init(|| make().into()).clone()
    }

    /// One of `process.ancestors` of its descendants.
    pub(crate) fn ancestor(&self, make: impl FnOnce() -> Ancestor) -> Shared<Ancestor> {
        self.ancestor.get_or_init(|| make().into()).clone()
    }

    /// The cached ancestors of its children, if they are of this generation.
    pub(crate) fn above(&self, generation: u64) -> Option<Rc<Above>> {
        let cached = self.above.borrow();
        cached.as_ref().filter(|(of, _)| *of == generation).map(|(_, above)| above.clone())
    }

    /// Caches the ancestors of its children.
    pub(crate) fn set_above(&self, generation: u64, above: Rc<Above>) {
        *self.above.borrow_mut() = Some((generation, above));
    }
}
