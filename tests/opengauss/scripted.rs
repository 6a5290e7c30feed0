//! Servers that do what an openGauss should not: the driver answers with an error of its own and
//! sends nothing secret.
