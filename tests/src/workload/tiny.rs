//! An image without a libc: a static ELF file of some 200 bytes, whose process lives for some ten microseconds.
//!
//! It reads the number at the beginning of `argv[1]` and ends with that number (exit(2) keeps 8 bits of it). An `s`
//! after the number has it kill itself with SIGKILL, an `x` has it run `argv[2]`, with the arguments from there on and
//! the same environment.

use std::{
    fs::{File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
};

const BASE: u64 = 0x40_0000;
const FILE_HEADER_LEN: u16 = 64;
const PROGRAM_HEADER_LEN: u16 = 56;
const HEADERS_LEN: u64 = 64 + 56;

/// `EM_X86_64`
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
/// `EM_AARCH64`
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// 7 instructions to a step of the loop over digits; then `exit_group(2)`, or getpid(2) and kill(2), or execve(2).
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const CODE: [u8; 97] = [
    0x48, 0x8b, 0x74, 0x24, 0x10,       //    mov rsi, [rsp+16]       argv[1]
    0x31, 0xff,                         //    xor edi, edi
    0x0f, 0xb6, 0x06,                   // 1: movzx eax, byte ptr [rsi]
    0x48, 0xff, 0xc6,                   //    inc rsi
    0x83, 0xe8, 0x30,                   //    sub eax, '0'
    0x83, 0xf8, 0x09,                   //    cmp eax, 9
    0x77, 0x07,                         //    ja 2f
    0x6b, 0xff, 0x0a,                   //    imul edi, edi, 10
    0x01, 0xc7,                         //    add edi, eax
    0xeb, 0xeb,                         //    jmp 1b
    0x83, 0xf8, 0x43,                   // 2: cmp eax, 's' - '0'
    0x74, 0x0c,                         //    je 4f
    0x83, 0xf8, 0x48,                   //    cmp eax, 'x' - '0'
    0x74, 0x1c,                         //    je 5f
    0xb8, 0xe7, 0x00, 0x00, 0x00,       // 3: mov eax, SYS_exit_group
    0x0f, 0x05,                         //    syscall
    0xb8, 0x27, 0x00, 0x00, 0x00,       // 4: mov eax, SYS_getpid
    0x0f, 0x05,                         //    syscall
    0x89, 0xc7,                         //    mov edi, eax
    0xbe, 0x09, 0x00, 0x00, 0x00,       //    mov esi, SIGKILL
    0xb8, 0x3e, 0x00, 0x00, 0x00,       //    mov eax, SYS_kill
    0x0f, 0x05,                         //    syscall
    0x48, 0x8b, 0x0c, 0x24,             // 5: mov rcx, [rsp]          argc
    0x48, 0x8d, 0x54, 0xcc, 0x10,       //    lea rdx, [rsp+rcx*8+16] envp
    0x48, 0x8d, 0x74, 0x24, 0x18,       //    lea rsi, [rsp+24]       &argv[2]
    0x48, 0x8b, 0x3e,                   //    mov rdi, [rsi]
    0xb8, 0x3b, 0x00, 0x00, 0x00,       //    mov eax, SYS_execve
    0x0f, 0x05,                         //    syscall
    0xbf, 0xff, 0x00, 0x00, 0x00,       //    mov edi, 255
    0xeb, 0xc5,                         //    jmp 3b
];

/// As for x86-64; instructions are 32 bits, little-endian.
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
const CODE: [u32; 29] = [
    0xf940_0be1, 0x5280_0000, 0x5280_0143,              //    ldr x1,[sp,#16]; mov w0,#0; mov w3,#10
    0x3840_1422, 0x5100_c042, 0x7100_245f, 0x5400_0068, // 1: ldrb w2,[x1],#1; sub w2,w2,#48; cmp w2,#9; b.hi 2f
    0x1b03_0800, 0x17ff_fffb,                           //    madd w0,w0,w3,w2; b 1b
    0x7101_0c5f, 0x5400_00a0, 0x7101_205f, 0x5400_0100, // 2: cmp w2,#67; b.eq 4f; cmp w2,#72; b.eq 5f
    0xd280_0bc8, 0xd400_0001,                           // 3: mov x8,#SYS_exit_group; svc #0
    0xd280_1588, 0xd400_0001,                           // 4: mov x8,#SYS_getpid; svc #0
    0xd280_0121, 0xd280_1028, 0xd400_0001,              //    mov x1,#SIGKILL; mov x8,#SYS_kill; svc #0
    0xf940_03e3, 0x9100_63e1, 0x9100_43e2, 0x8b03_0c42, // 5: ldr x3,[sp]; add x1,sp,#24; add x2,sp,#16; add x2,x2,x3,lsl #3
    0xf940_0020, 0xd280_1ba8, 0xd400_0001,              //    ldr x0,[x1]; mov x8,#SYS_execve; svc #0
    0x5280_1fe0, 0x17ff_fff1,                           //    mov w0,#255; b 3b
];

/// pause(2), and again: what is killed at the end.
#[cfg(target_arch = "x86_64")]
const SLEEP: [u8; 9] = [
    0xb8, 0x22, 0x00, 0x00, 0x00, // 1: mov eax, SYS_pause
    0x0f, 0x05, //                     syscall
    0xeb, 0xf7, //                     jmp 1b
];

/// ppoll(2) of nothing without an end.
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
const SLEEP: [u32; 8] = [
    0xd280_0000, 0xd280_0001, 0xd280_0002, 0xd280_0003, // 1: mov x0,#0; mov x1,#0; mov x2,#0; mov x3,#0
    0xd280_0004, 0xd280_0928, 0xd400_0001, 0x17ff_fff9, //    mov x4,#0; mov x8,#SYS_ppoll; svc #0; b 1b
];

/// The bytes of the image, with `trailer` after them, which is not loaded and changes nothing but the digests.
pub fn image(trailer: &str) -> Vec<u8> {
    elf(CODE.iter().flat_map(|part| part.to_le_bytes()).collect(), trailer)
}

/// The bytes of an image that does nothing until it is killed. All of it is mapped, where the trailer does not fill
/// its page.
pub fn sleeper(trailer: &str) -> Vec<u8> {
    elf(SLEEP.iter().flat_map(|part| part.to_le_bytes()).collect(), trailer)
}

fn elf(code: Vec<u8>, trailer: &str) -> Vec<u8> {
    let len = HEADERS_LEN + u64::try_from(code.len()).unwrap();
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    let mut half = |value: u16| value.to_le_bytes().to_vec();
    // ET_EXEC, the machine, EV_CURRENT.
    let kind = [half(2), half(MACHINE), 1_u32.to_le_bytes().to_vec()].concat();
    let sizes = [FILE_HEADER_LEN, PROGRAM_HEADER_LEN, 1, 0, 0, 0].map(&mut half).concat();
    bytes.extend(kind);
    // The entry; the program headers, which follow; no section headers.
    bytes.extend([BASE + HEADERS_LEN, u64::from(FILE_HEADER_LEN), 0].map(u64::to_le_bytes).concat());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(sizes);
    // PT_LOAD, PF_R | PF_X; all of the file, at BASE, aligned to the largest page.
    bytes.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    bytes.extend([0, BASE, BASE, len, len, 0x1_0000].map(u64::to_le_bytes).concat());
    bytes.extend(code);
    bytes.extend(trailer.as_bytes());
    bytes
}

/// Writes an executable file.
pub fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_permissions(Permissions::from_mode(0o755)).unwrap();
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::Command};

    use super::{image, write};

    #[test]
    fn it_ends_with_its_number_or_by_a_signal_or_runs_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tiny");
        write(&path, &image("trailer"));
        let run = |args: &[&str]| loop {
            match Command::new(&path).args(args).status() {
                // Another test's fork has the file open for writing, until its exec.
                Err(busy) if busy.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                answer => break answer.unwrap(),
            }
        };
        assert_eq!(run(&["513"]).code(), Some(1));
        assert_eq!(run(&["7s"]).signal(), Some(9));
        assert_eq!(run(&["1x", path.to_str().unwrap(), "42"]).code(), Some(42));
        assert_eq!(run(&["1x", "/nonexistent", "42"]).code(), Some(255));
    }
}
