//! Names of hosts, where they are asked for: the only part that talks to anybody but the kernel.

use std::{collections::HashMap, net::IpAddr};

use super::model::Inspection;

/// Adds the names of the remote addresses, each asked for once.
pub(super) fn add(inspection: &mut Inspection) {
    let mut names: HashMap<IpAddr, Option<String>> = HashMap::new();
    let descriptors = inspection.descriptors.iter_mut().flatten();
    let ends = descriptors.filter_map(|descriptor| descriptor.socket.as_mut()?.remote.as_mut());
    for end in ends {
        let Some(address) = end.address.as_deref().and_then(|address| address.parse().ok()) else { continue };
        let name = names.entry(address).or_insert_with(|| name_of(address));
        end.host.clone_from(name);
    }
}

/// `None` where it has none: the resolver then gives the address itself.
fn name_of(address: IpAddr) -> Option<String> {
    dns_lookup::lookup_addr(&address).ok().filter(|name| name.parse::<IpAddr>().is_err())
}
