//! Rows that wait in flash, and a real server: cuts of power and link, rows that are refused, servers
//! that change.

mod asked;
mod cuts;
mod device;
mod failing;
mod killed;
mod standby;
mod supervised;
mod work;
