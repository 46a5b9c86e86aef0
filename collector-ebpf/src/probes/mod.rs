//! The hooks, one file each. A hook decides whether there is an event and which; `kernel` reads, `emit` sends.

mod cgroups;
mod exec;
mod exit;
mod fork;
mod tasks;
mod tcp_connect;
mod tcp_state;
mod udp;
