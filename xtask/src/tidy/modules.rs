//! The modules of one crate as its files declare them: what each defines, imports and mentions. Items and modules
//! under `#[cfg(test)]` are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// The segments of a path, `crate`, `self` and `super` included; `*` ends a glob import.
pub(super) type Segments = Vec<String>;

/// All modules of one crate. The root has index 0.
#[derive(Default)]
pub(super) struct Crate {
    pub(super) modules: Vec<Module>,
}

#[derive(Default)]
pub(super) struct Module {
    /// The file that holds the module's items, relative to the workspace's root.
    pub(super) file: PathBuf,
    /// Index of the parent; the root is its own parent.
    pub(super) parent: usize,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: BTreeSet<String>,
    /// The name under which a `use` brings a path into the module.
    pub(super) imports: BTreeMap<String, Segments>,
    /// Names that a `pub use` brings in: an arrow only where the module itself mentions them.
    pub(super) reexports: BTreeSet<String>,
    pub(super) globs: Vec<Segments>,
    pub(super) mentions: Vec<Mention>,
}

/// A path in the module's code, and its line.
pub(super) struct Mention {
    pub(super) path: Segments,
    pub(super) line: usize,
}

/// Reads a file, given its path from the workspace's root.
pub(super) trait Read: Fn(&Path) -> Result<String> {}
impl<T: Fn(&Path) -> Result<String>> Read for T {}

impl Crate {
    /// Reads the crate whose root file is `file`, and every file that a `mod` in it names.
    pub(super) fn read(file: &Path, read: &impl Read) -> Result<Self> {
        let mut it = Self::default();
        let dir = file.parent().unwrap_or(Path::new("")).to_owned();
        it.add_file(file, &dir, 0, read)?;
        Ok(it)
    }

    /// Adds the module that `file` holds; `dir` is where the files of its children are.
    fn add_file(&mut self, file: &Path, dir: &Path, parent: usize, read: &impl Read) -> Result<usize> {
        let text = read(file)?;
        let parsed = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        self.add_module(file, dir, parent, parsed.items, read)
    }

    fn add_module(
        &mut self,
        file: &Path,
        dir: &Path,
        parent: usize,
        items: Vec<Item>,
        read: &impl Read,
    ) -> Result<usize> {
        let index = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), parent, ..Module::default() });
        let mut module = Module::default();
        for item in items {
            match item {
                Item::Mod(child) if is_test(&child.attrs) => {}
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let child = self.add_child(file, dir, index, child, read)?;
                    module.children.insert(name, child);
                }
                other => module.add_item(&other),
            }
        }
        if let Some(place) = self.modules.get_mut(index) {
            *place = Module { file: file.to_owned(), parent, ..module };
        }
        Ok(index)
    }

    fn add_child(
        &mut self,
        file: &Path,
        dir: &Path,
        parent: usize,
        child: ItemMod,
        read: &impl Read,
    ) -> Result<usize> {
        let name = child.ident.to_string();
        let dir_of_children = dir.join(&name);
        if let Some((_, items)) = child.content {
            return self.add_module(file, &dir_of_children, parent, items, read);
        }
        let beside = dir.join(format!("{name}.rs"));
        if read(&beside).is_ok() {
            return self.add_file(&beside, &dir_of_children, parent, read);
        }
        self.add_file(&dir_of_children.join("mod.rs"), &dir_of_children, parent, read)
    }
}

impl Module {
    fn add_item(&mut self, item: &Item) {
        match item {
            Item::Use(import) if is_test(&import.attrs) || import.leading_colon.is_some() => return,
            Item::Use(import) => return self.add_import(import),
            Item::Macro(item) => self.items.extend(item.ident.iter().map(Ident::to_string)),
            Item::Const(item) => self.add_name(&item.ident),
            Item::Enum(item) => self.add_name(&item.ident),
            Item::Fn(item) => self.add_name(&item.sig.ident),
            Item::Static(item) => self.add_name(&item.ident),
            Item::Struct(item) => self.add_name(&item.ident),
            Item::Trait(item) => self.add_name(&item.ident),
            Item::Type(item) => self.add_name(&item.ident),
            Item::Union(item) => self.add_name(&item.ident),
            _ => {}
        }
        self.scan(&[], item.to_token_stream());
    }

    fn add_name(&mut self, name: &Ident) {
        self.items.insert(name.to_string());
    }

    fn add_import(&mut self, import: &ItemUse) {
        let reexport = !matches!(import.vis, Visibility::Inherited);
        let mut leaves = Vec::new();
        flatten(&import.tree, &mut Vec::new(), &mut leaves);
        for (path, name, line) in leaves {
            match name {
                _ if path.last().is_some_and(|last| last == "*") => {
                    let module = path.split_last().map_or(&[][..], |(_, module)| module);
                    self.globs.push(module.to_vec());
                }
                name => {
                    self.imports.insert(name.clone(), path.clone());
                    if reexport {
                        self.reexports.insert(name);
                        continue;
                    }
                }
            }
            if !reexport {
                self.mentions.push(Mention { path, line });
            }
        }
    }

    /// Collects every path in `tokens`, also inside macros, which syn does not parse. `prefix` stands before a
    /// group of braces: `a::{b, c}`.
    fn scan(&mut self, prefix: &[String], tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    let (path, len) = path_at(tokens.get(at..).unwrap_or_default());
                    let path = [prefix, &path].concat();
                    let is_member = at > 0 && is_punct(tokens.get(at - 1), '.');
                    at += len;
                    match tokens.get(at) {
                        Some(TokenTree::Group(group)) if ends_in_colons(&tokens, at) => {
                            self.scan(&path, group.stream());
                            at += 1;
                        }
                        _ if is_member => {}
                        _ => self.mentions.push(Mention { path, line }),
                    }
                }
                TokenTree::Group(group) => {
                    if is_punct(tokens.get(at.wrapping_sub(1)), '#') && is_test_attribute(&group.stream()) {
                        at = end_of_item(&tokens, at);
                    } else {
                        self.scan(&[], group.stream());
                    }
                    at += 1;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }
}

/// `a::b::c` at the start of `tokens`, and how many tokens it has. Colons before `{`, `<` or `*` belong to it.
fn path_at(tokens: &[TokenTree]) -> (Segments, usize) {
    let mut path = Vec::new();
    let mut at = 0;
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        path.push(ident.to_string());
        at += 1;
        if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
            break;
        }
        at += 2;
    }
    (path, at)
}

fn ends_in_colons(tokens: &[TokenTree], at: usize) -> bool {
    let braces =
        matches!(tokens.get(at), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace);
    braces && at >= 2 && is_punct(tokens.get(at - 1), ':') && is_punct(tokens.get(at - 2), ':')
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

/// The last token of what an attribute at `start` belongs to.
fn end_of_item(tokens: &[TokenTree], start: usize) -> usize {
    let after = tokens.iter().enumerate().skip(start + 1);
    let mut ends = after.filter(|(_, token)| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(Some(other), ';') || is_punct(Some(other), ','),
    });
    ends.next().map_or(tokens.len(), |(at, _)| at)
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| is_test_attribute(&attribute.meta.to_token_stream()))
}

/// `cfg(test)` and `cfg(all(test, …))`.
fn is_test_attribute(tokens: &TokenStream) -> bool {
    let text = tokens.to_string().replace(' ', "");
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// Each leaf of a `use`: its path, the name that it has here, its line.
fn flatten(tree: &UseTree, prefix: &mut Segments, leaves: &mut Vec<(Segments, String, usize)>) {
    let mut leaf = |last: &Ident, name: &Ident| {
        let mut path = prefix.clone();
        // `use a::{self}` names `a`.
        if last != "self" || path.is_empty() {
            path.push(last.to_string());
        }
        let name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name.to_string() };
        leaves.push((path, name, last.span().start().line));
    };
    match tree {
        UseTree::Name(name) => leaf(&name.ident, &name.ident),
        UseTree::Rename(rename) => leaf(&rename.ident, &rename.rename),
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans.first().map_or(0, |span| span.start().line);
            leaves.push(([prefix.as_slice(), &["*".to_owned()]].concat(), "*".to_owned(), line));
        }
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, leaves);
            prefix.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, leaves)),
    }
}
