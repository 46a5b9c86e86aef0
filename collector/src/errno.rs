//! Names of error numbers, for events.

/// Makes the match from the constants of libc: each name has the number of its architecture.
macro_rules! errno_names {
    ($($name:ident)*) => {
        /// The name in errno(3), such as `ECONNREFUSED`. `None` for 0 and for a number that Linux does not use.
        ///
        /// If two names share a number, it is the first in errno(3): `EAGAIN`, `EDEADLK`, `EOPNOTSUPP`.
        #[must_use]
        pub fn errno_name(errno: u32) -> Option<&'static str> {
            match i32::try_from(errno).ok()? {
                $(libc::$name => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

errno_names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY
    EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK
    EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC
    EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR
    ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG
    EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE
    EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP
    EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED
    ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN
    EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM
    EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL
    EHWPOISON
}

#[cfg(test)]
mod tests {
    use super::errno_name;

    #[track_caller]
    fn check(errno: i32, expected: Option<&str>) {
        assert_eq!(errno_name(u32::try_from(errno).unwrap()), expected);
    }

    #[test]
    fn errors_of_a_connect_have_names() {
        check(libc::ECONNREFUSED, Some("ECONNREFUSED"));
        check(libc::ETIMEDOUT, Some("ETIMEDOUT"));
        check(libc::EHOSTUNREACH, Some("EHOSTUNREACH"));
        check(libc::ENETUNREACH, Some("ENETUNREACH"));
        check(libc::EINPROGRESS, Some("EINPROGRESS"));
    }

    #[test]
    fn a_shared_number_has_one_name() {
        check(libc::EWOULDBLOCK, Some("EAGAIN"));
        check(libc::EDEADLOCK, Some("EDEADLK"));
        check(libc::ENOTSUP, Some("EOPNOTSUPP"));
    }

    #[test]
    fn zero_and_numbers_beyond_the_table_have_none() {
        check(0, None);
        check(4095, None);
        assert_eq!(errno_name(u32::MAX), None);
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn every_number_but_two_that_linux_never_used_has_a_name() {
        let nameless: Vec<u32> = (1..=133).filter(|&errno| errno_name(errno).is_none()).collect();
        assert_eq!(nameless, [41, 58]);
    }
}
