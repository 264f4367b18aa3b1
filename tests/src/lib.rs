//! What holds across functions, tried through the routers in process: how routes behave (`routes`), what they refuse
//! (`bad_input`), what becomes of them when the table fails (`faults`), runs against a model of them (`model`), what becomes of a
//! hundred at once (`storms`), of events that the relay gave up (`given_up`), and the gates that every change has to pass (`gates`).
#![cfg(test)]

mod attacks;
mod bad_input;
mod estate;
mod faults;
mod gates;
mod given_up;
mod model;
mod operations;
mod routes;
mod shaken;
mod storms;
mod world;
