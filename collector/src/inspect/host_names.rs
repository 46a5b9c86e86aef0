//! Host names, with `--resolve`: the only part that talks to anything but the kernel.

use std::{collections::HashMap, net::IpAddr};

use super::model::{End, Inspection};

/// Adds the host names of the remote addresses. Each address is looked up once.
pub(super) fn add(inspection: &mut Inspection) {
    let descriptors = inspection.descriptors.iter_mut().flatten();
    name(descriptors.filter_map(|descriptor| descriptor.socket.as_mut()?.remote.as_mut()), name_of);
}

fn name<'e>(ends: impl Iterator<Item = &'e mut End>, name_of: impl Fn(IpAddr) -> Option<String>) {
    let mut names: HashMap<IpAddr, Option<String>> = HashMap::new();
    for end in ends {
        let Some(address) = end.address.as_deref().and_then(|address| address.parse().ok()) else { continue };
        let name = names.entry(address).or_insert_with(|| name_of(address));
        end.host.clone_from(name);
    }
}

/// `None` if it has no name: the resolver then gives the address itself.
fn name_of(address: IpAddr) -> Option<String> {
    dns_lookup::lookup_addr(&address).ok().filter(|name| name.parse::<IpAddr>().is_err())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, net::IpAddr};

    use super::{End, name};

    /// A resolver that knows one address, and the addresses that were looked up.
    #[derive(Default)]
    struct Resolver {
        looked_up: RefCell<Vec<String>>,
    }

    impl Resolver {
        fn name_of(&self, address: IpAddr) -> Option<String> {
            self.looked_up.borrow_mut().push(address.to_string());
            (address.to_string() == "192.0.2.7").then(|| "seven.example".to_owned())
        }
    }

    #[track_caller]
    fn check(addresses: &[Option<&str>], hosts: &[Option<&str>], looked_up: &[&str]) {
        let resolver = Resolver::default();
        let end = |address: Option<&str>| End { address: address.map(str::to_owned), ..End::default() };
        let mut ends: Vec<End> = addresses.iter().copied().map(end).collect();
        name(ends.iter_mut(), |address| resolver.name_of(address));
        assert_eq!(ends.iter().map(|end| end.host.as_deref()).collect::<Vec<_>>(), hosts);
        assert_eq!(*resolver.looked_up.borrow(), looked_up);
    }

    #[test]
    fn an_address_with_a_name_gets_it_and_one_without_stays_alone() {
        let addresses = [Some("192.0.2.7"), Some("2001:db8::1")];
        check(&addresses, &[Some("seven.example"), None], &["192.0.2.7", "2001:db8::1"]);
    }

    #[test]
    fn each_address_is_looked_up_once_even_in_vain() {
        let addresses = [Some("192.0.2.7"), Some("192.0.2.8"), Some("192.0.2.7"), Some("192.0.2.8")];
        let hosts = [Some("seven.example"), None, Some("seven.example"), None];
        check(&addresses, &hosts, &["192.0.2.7", "192.0.2.8"]);
    }

    #[test]
    fn the_end_of_a_socket_of_the_machine_itself_has_no_host() {
        check(&[None], &[None], &[]);
    }
}
