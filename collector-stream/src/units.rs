//! Sizes and times as users write them: `8MiB`, `100ms`. A plain number is in bytes or milliseconds.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A time in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// The units of sizes; the first name of each is the one that is written.
const SIZES: [(&[&str], u64); 5] = [
    (&["TiB", "T"], 1 << 40),
    (&["GiB", "G"], 1 << 30),
    (&["MiB", "M"], 1 << 20),
    (&["KiB", "K"], 1 << 10),
    (&["", "B"], 1),
];

/// The units of times; the first name of each is the one that is written.
const TIMES: [(&[&str], u64); 4] =
    [(&["h"], 3_600_000), (&["min", "m"], 60_000), (&["s"], 1_000), (&["ms", ""], 1)];

/// Why a word is not a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeError {
    word: String,
}

/// Why a word is not a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeError {
    word: String,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = &self.word;
        write!(
            f,
            "{word:?} is not a size; a size is a number of bytes, or a number with B, KiB, MiB, GiB or TiB: 8MiB (8M is the same)"
        )
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a time; a time is a number with ms, s, min or h: 100ms", self.word)
    }
}

impl std::error::Error for SizeError {}
impl std::error::Error for TimeError {}

impl Millis {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        parse(word, &SIZES).map(Self).ok_or_else(|| SizeError { word: word.to_owned() })
    }
}

impl FromStr for Millis {
    type Err = TimeError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        parse(word, &TIMES).map(Self).ok_or_else(|| TimeError { word: word.to_owned() })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &SIZES, f)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &TIMES, f)
    }
}

fn parse(word: &str, units: &[(&[&str], u64)]) -> Option<u64> {
    let end = word.find(|character: char| !character.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at_checked(end)?;
    let unit = unit.trim_start();
    let (_, scale) = units.iter().find(|(names, _)| names.contains(&unit))?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

/// In the largest unit that gives a whole number.
fn write(number: u64, units: &[(&[&str], u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_whole = |scale: u64| number >= scale && number.is_multiple_of(scale);
    let (names, scale) =
        units.iter().find(|(_, scale)| is_whole(*scale)).or(units.last()).copied().unwrap_or((&[], 1));
    write!(f, "{}{}", number / scale, names.first().copied().unwrap_or_default())
}

/// Reads a number or a word, for a field that is a plain number of bytes.
pub fn size<'de, D: Deserializer<'de>, N: TryFrom<u64>>(deserializer: D) -> Result<N, D::Error> {
    let ByteSize(bytes) = ByteSize::deserialize(deserializer)?;
    bytes.try_into().map_err(|_| de::Error::custom(format_args!("{} is too large", ByteSize(bytes))))
}

/// Reads a number or a word, for a field that is a plain number of milliseconds.
pub fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Millis::deserialize(deserializer).map(|millis| millis.0)
}

/// Reads a type of a `u64` from a number or from a word, and writes it as a word.
macro_rules! number_or_word {
    ($($type:ident $expecting:literal;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl de::Visitor<'_> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$type, E> {
                        Ok($type(number))
                    }

                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$type, E> {
                        let invalid = || E::invalid_value(de::Unexpected::Signed(number), &self);
                        u64::try_from(number).map($type).map_err(|_| invalid())
                    }

                    fn visit_str<E: de::Error>(self, word: &str) -> Result<$type, E> {
                        word.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_any(Visitor)
            }
        }
    )*};
}

number_or_word! {
    ByteSize "a number of bytes or a size such as \"8MiB\"";
    Millis "a number of milliseconds or a time such as \"100ms\"";
}

#[cfg(test)]
mod tests {
    use std::{fmt::Debug, fmt::Display, str::FromStr};

    use serde::Deserialize;

    use super::{ByteSize, Millis};

    #[track_caller]
    fn check<T: FromStr + Display + PartialEq + Debug>(word: &str, value: T, shown: &str) {
        assert_eq!(word.parse::<T>().ok().as_ref(), Some(&value), "{word}");
        assert_eq!(value.to_string(), shown);
        assert_eq!(shown.parse::<T>().ok(), Some(value), "{shown} is read back");
    }

    #[test]
    fn sizes_have_units_of_1024() {
        check("0", ByteSize(0), "0");
        check("1000", ByteSize(1000), "1000");
        check("512B", ByteSize(512), "512");
        check("64KiB", ByteSize(65_536), "64KiB");
        check("1M", ByteSize(1 << 20), "1MiB");
        check("8 MiB", ByteSize(8 << 20), "8MiB");
        check("2G", ByteSize(2 << 30), "2GiB");
        check("1536K", ByteSize(1536 << 10), "1536KiB");
    }

    #[test]
    fn times_have_units_of_a_clock() {
        check("0", Millis(0), "0ms");
        check("100", Millis(100), "100ms");
        check("100ms", Millis(100), "100ms");
        check("5s", Millis(5000), "5s");
        check("90 s", Millis(90_000), "90s");
        check("2m", Millis(120_000), "2min");
        check("1h", Millis(3_600_000), "1h");
    }

    #[test]
    fn other_words_are_refused_with_what_they_may_be() {
        for word in ["", "M", "1MB", "1.5M", "-1", "+1", "8mib", "99999999999T", "0x10"] {
            let error = word.parse::<ByteSize>().unwrap_err().to_string();
            assert!(error.contains("8MiB") && error.contains(word), "{error}");
        }
        for word in ["", "s", "5 years", "-1s", "1.5s", "99999999999999999h"] {
            let error = word.parse::<Millis>().unwrap_err().to_string();
            assert!(error.contains("100ms"), "{error}");
        }
    }

    #[derive(Debug, Deserialize)]
    struct Read {
        #[serde(default, deserialize_with = "super::size")]
        size: u32,
        #[serde(default, deserialize_with = "super::millis")]
        time: u64,
    }

    #[test]
    fn a_configuration_may_have_numbers_or_words() {
        let read = |text: &str| serde_json::from_str::<Read>(text);
        let with_words = read(r#"{"size": "8MiB", "time": "5s"}"#).unwrap();
        assert_eq!((with_words.size, with_words.time), (8 << 20, 5000));
        let with_numbers = read(r#"{"size": 65536, "time": 500}"#).unwrap();
        assert_eq!((with_numbers.size, with_numbers.time), (65_536, 500));
        for wrong in ["-1", "\"8G\"", "1.5", "true", "\"5 years\""] {
            assert!(read(&format!("{{\"size\": {wrong}}}")).is_err(), "{wrong}");
        }
        assert!(read("{\"time\": -1}").unwrap_err().to_string().contains("100ms"));
    }
}
