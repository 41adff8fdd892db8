//! Archives that mean harm.
