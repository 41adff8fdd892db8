//! The same without the rights of root.
