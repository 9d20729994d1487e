//! A workspace on a disk: the log of sealed records, and the database beside it.
