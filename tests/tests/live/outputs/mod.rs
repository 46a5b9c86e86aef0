//! Outputs that do not share one fate: each has its own buffer, thread and policies, and its own true count.

mod agent;
mod files;
mod independence;
mod nonblocking;
mod restart;
mod stop;
