//! Sandlot.
