package main

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An inode is what the kernel says about the entry of a directory.
type inode struct {
	ino       uint64
	dev       uint64
	mount     uint64 // 0 where the kernel gives no mount id
	apparent  int64
	allocated int64
	atime     timestamp
	mtime     timestamp
	ctime     timestamp
	uid       uint32
	gid       uint32
	mode      uint32
	nlink     uint32
	automount bool // an automount point that nothing is mounted on yet
}

type timestamp struct {
	seconds     int64
	nanoseconds uint32
}

func (n *inode) kind() uint32 { return n.mode & unix.S_IFMT }

// A kernel makes the few system calls of a scan, each on a descriptor and a name, none on a path.
type kernel struct {
	// raw calls tell Go's scheduler nothing, which saves a tenth of the CPU time. A call that blocks then holds up
	// the whole program, so they are for local disks only.
	raw bool
	// statx is missing before Linux 4.11, openat2 before 5.6, and some sandboxes forbid them.
	statx   bool
	openat2 bool
}

const (
	statMask      = unix.STATX_BASIC_STATS | unix.STATX_MNT_ID
	statFlags     = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	openDirectory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	blockBytes    = 512 // the unit of st_blocks, whatever the file system's own block is
)

// probe finds out what works here, on any open directory.
func (k *kernel) probe(fd int) {
	var answer unix.Statx_t
	k.statx = unix.Statx(fd, "", unix.AT_EMPTY_PATH, statMask, &answer) == nil
	again, errno := k.openBeneath(fd, ".")
	if errno == 0 {
		_ = unix.Close(again)
	}
	k.openat2 = errno == 0
}

// status fills in what is known of an open descriptor.
func (k *kernel) status(fd int, into *inode) unix.Errno {
	var empty byte
	return k.stat(fd, &empty, unix.AT_EMPTY_PATH, into)
}

// entry fills in what is known of a directory's entry; name ends with a NUL byte.
func (k *kernel) entry(fd int, name *byte, into *inode) unix.Errno {
	return k.stat(fd, name, statFlags, into)
}

func (k *kernel) stat(fd int, name *byte, flags uintptr, into *inode) unix.Errno {
	if !k.statx {
		return k.oldStat(fd, name, flags, into)
	}
	var answer unix.Statx_t
	for {
		var errno unix.Errno
		if k.raw {
			_, _, errno = unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)), flags,
				statMask, uintptr(unsafe.Pointer(&answer)), 0)
		} else {
			_, _, errno = unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)), flags,
				statMask, uintptr(unsafe.Pointer(&answer)), 0)
		}
		if errno == unix.EINTR {
			continue
		}
		if errno == 0 {
			into.fromStatx(&answer)
		}
		return errno
	}
}

func (n *inode) fromStatx(answer *unix.Statx_t) {
	n.ino = answer.Ino
	n.dev = unix.Mkdev(answer.Dev_major, answer.Dev_minor)
	n.mount = 0
	if answer.Mask&unix.STATX_MNT_ID != 0 {
		n.mount = answer.Mnt_id
	}
	n.apparent = int64(answer.Size)
	n.allocated = int64(answer.Blocks) * blockBytes
	n.atime = timestamp{answer.Atime.Sec, answer.Atime.Nsec}
	n.mtime = timestamp{answer.Mtime.Sec, answer.Mtime.Nsec}
	n.ctime = timestamp{answer.Ctime.Sec, answer.Ctime.Nsec}
	n.uid = answer.Uid
	n.gid = answer.Gid
	n.mode = uint32(answer.Mode)
	n.nlink = answer.Nlink
	n.automount = answer.Attributes&answer.Attributes_mask&unix.STATX_ATTR_AUTOMOUNT != 0
}

func (k *kernel) oldStat(fd int, name *byte, flags uintptr, into *inode) unix.Errno {
	var answer unix.Stat_t
	for {
		_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(fd), uintptr(unsafe.Pointer(name)),
			uintptr(unsafe.Pointer(&answer)), flags, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno == 0 {
			into.fromStat(&answer)
		}
		return errno
	}
}

func (n *inode) fromStat(answer *unix.Stat_t) {
	*n = inode{
		ino:       answer.Ino,
		dev:       answer.Dev,
		apparent:  answer.Size,
		allocated: answer.Blocks * blockBytes,
		atime:     timestamp{answer.Atim.Sec, uint32(answer.Atim.Nsec)},
		mtime:     timestamp{answer.Mtim.Sec, uint32(answer.Mtim.Nsec)},
		ctime:     timestamp{answer.Ctim.Sec, uint32(answer.Ctim.Nsec)},
		uid:       answer.Uid,
		gid:       answer.Gid,
		mode:      answer.Mode,
		nlink:     uint32(answer.Nlink),
	}
}

// open opens a directory by its name in another one, or by a path; it never opens anything else, and follows no link
// at the end.
func (k *kernel) open(fd int, name string) (int, unix.Errno) {
	for {
		child, err := unix.Openat(fd, name, openDirectory, 0)
		if err != unix.EINTR {
			return child, errnoOf(err)
		}
	}
}

// openBeneath is open where the kernel itself refuses to cross a mount, even one that came just now; see openat2(2).
func (k *kernel) openBeneath(fd int, name string) (int, unix.Errno) {
	how := unix.OpenHow{Flags: openDirectory, Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS}
	for {
		child, err := unix.Openat2(fd, name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return child, errnoOf(err)
		}
	}
}

// list reads the next entries of a directory; 0 bytes mean that there are no more.
func (k *kernel) list(fd int, into []byte) (int, unix.Errno) {
	for {
		var count uintptr
		var errno unix.Errno
		if k.raw {
			count, _, errno = unix.RawSyscall(unix.SYS_GETDENTS64, uintptr(fd), uintptr(unsafe.Pointer(&into[0])),
				uintptr(len(into)))
		} else {
			count, _, errno = unix.Syscall(unix.SYS_GETDENTS64, uintptr(fd), uintptr(unsafe.Pointer(&into[0])),
				uintptr(len(into)))
		}
		if errno == unix.EINTR {
			continue
		}
		return int(count), errno
	}
}

// Where the fields of a linux_dirent64 lie; see getdents64(2).
const (
	direntLength = 16
	direntName   = 19
	direntAlign  = 8 // entries are padded to this with NUL bytes, of which there is at least one
)

// nextEntry cuts the first entry off what getdents64 has given. The name ends with a NUL byte, which is not part of
// what is returned but follows it in memory.
func nextEntry(data []byte) (name, rest []byte) {
	length := int(binary.NativeEndian.Uint16(data[direntLength:]))
	end := max(direntName, length-direntAlign)
	for data[end] != 0 {
		end++
	}
	return data[direntName:end], data[length:]
}

func isDots(name []byte) bool {
	return name[0] == '.' && (len(name) == 1 || (len(name) == 2 && name[1] == '.'))
}

func errnoOf(err error) unix.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := err.(unix.Errno); ok {
		return errno
	}
	return unix.EIO
}

func errnoName(errno unix.Errno) string {
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return "errno " + strings.TrimPrefix(errno.Error(), "errno ")
}
