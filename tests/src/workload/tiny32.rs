//! The tiny image for i386: a static 32-bit ELF file that reads the number at the beginning of `argv[1]` and ends with it.

const BASE: u32 = 0x0804_8000;
const FILE_HEADER_LEN: u16 = 52;
const PROGRAM_HEADER_LEN: u16 = 32;
const HEADERS_LEN: u32 = 52 + 32;
/// `EM_386`
const MACHINE: u16 = 3;

#[rustfmt::skip]
const CODE: [u8; 34] = [
    0x8b, 0x74, 0x24, 0x08,             //    mov esi, [esp+8]        argv[1]
    0x31, 0xff,                         //    xor edi, edi
    0x0f, 0xb6, 0x06,                   // 1: movzx eax, byte ptr [esi]
    0x46,                               //    inc esi
    0x83, 0xe8, 0x30,                   //    sub eax, '0'
    0x83, 0xf8, 0x09,                   //    cmp eax, 9
    0x77, 0x07,                         //    ja 2f
    0x6b, 0xff, 0x0a,                   //    imul edi, edi, 10
    0x01, 0xc7,                         //    add edi, eax
    0xeb, 0xed,                         //    jmp 1b
    0x89, 0xfb,                         // 2: mov ebx, edi
    0xb8, 0x01, 0x00, 0x00, 0x00,       //    mov eax, SYS_exit
    0xcd, 0x80,                         //    int 0x80
];

/// The bytes of the image.
pub fn image() -> Vec<u8> {
    let len = HEADERS_LEN + u32::try_from(CODE.len()).unwrap();
    let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
    bytes.resize(16, 0);
    // ET_EXEC, the machine, EV_CURRENT.
    bytes.extend([2, MACHINE].map(u16::to_le_bytes).concat());
    // EV_CURRENT; the entry; the program headers, which follow; no section headers; no flags.
    let file_header = u32::from(FILE_HEADER_LEN);
    bytes.extend([1, BASE + HEADERS_LEN, file_header, 0, 0].map(u32::to_le_bytes).concat());
    bytes.extend([FILE_HEADER_LEN, PROGRAM_HEADER_LEN, 1, 0, 0, 0].map(u16::to_le_bytes).concat());
    // PT_LOAD; all of the file, at BASE; PF_R | PF_X; aligned to a page.
    bytes.extend([1, 0, BASE, BASE, len, len, 5, 0x1000].map(u32::to_le_bytes).concat());
    bytes.extend(CODE);
    bytes
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::image;
    use crate::workload::tiny;

    #[test]
    fn it_ends_with_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tiny32");
        tiny::write(&path, &image());
        let status = loop {
            match Command::new(&path).arg("513").status() {
                // Another test's fork has the file open for writing, until its exec.
                Err(busy) if busy.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
                answer => break answer.unwrap(),
            }
        };
        assert_eq!(status.code(), Some(1));
    }
}
