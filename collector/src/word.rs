//! Values of the configuration that are written as one word, as on the command line.

/// Has a type read from a configuration as it is from text.
macro_rules! read_as_word {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use read_as_word;
