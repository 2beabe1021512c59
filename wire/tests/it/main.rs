//! Tests of the wire, one room a promise: the bytes of a version never change ([`golden`]), every
//! message survives the journey and hostile bytes harm nothing ([`properties`]), and each limit
//! binds where it says ([`limits`]), and an event stays small ([`size`]).

mod golden;
mod limits;
mod properties;
mod sample;
mod size;
mod strategy;
mod stream;
