//! Gates: each compares two things that must agree, or keeps a reviewed record of one that must not drift unseen.

mod document;
mod mutations;
mod roles;
mod run_states;
