// Package recordlog keeps records of bytes in a directory until they are
// acknowledged. It is a queue on the disk: Append puts records at its end and returns
// once they are fsynced, Next reads them in that order, and Acknowledge forgets them.
// It knows nothing of what the bytes mean.
//
// # The directory
//
//	progress              up to which record everything is acknowledged
//	<number>.seg          a segment: records, one after the other
//	damaged/<where>.bin   a copy of bytes that are not a record
//	damaged/<number>.seg  a segment that could not be read or copied in full
//	damaged/<name>.seg    a file that looks like a segment, and is none
//
// The process that has the log open has locked the directory with flock. The name of a
// segment is 20 decimal digits: the sequence number of its first record, or a lower one.
// Sequence numbers grow from record to record, with gaps, from 1 to 2^62.
//
// # A record
//
// A record is a head of 32 bytes and a payload of at most 4 MiB. Numbers are in little
// endian, checksums are CRC-32C:
//
//	bytes  0 to 3   mark: ff 61 65 01; the last byte is the version of the format
//	bytes  4 to 7   length of the payload
//	bytes  8 to 15  sequence number
//	bytes 16 to 23  time of Append, in nanoseconds since 1970
//	bytes 24 to 27  checksum of the payload
//	bytes 28 to 31  checksum of bytes 0 to 27
//
// Zeros may follow the last record. The first byte of the mark occurs in no UTF-8, so
// no payload of text contains the mark: from anywhere in damaged bytes, the next record
// is found by searching for an undamaged head. So damage costs no record but its own.
//
// # Progress
//
// The file has four slots of 28 bytes. Those at the offsets 0 and 512 each hold the text
// "daeprog1" read as a number, the number of the write, the sequence number up to which
// every record is acknowledged, and the checksum of these 24 bytes. Writes go to the
// slots in turn, and the higher write number holds. So when a crash tears one slot, the
// other one still holds.
//
// Those at 1024 and 1536 are like them, with the text "daesync1" and the sequence number up
// to which every record was synced. They may be missing: then nothing is known of that.
//
// # What a crash costs
//
// Nothing that Append confirmed. Records that were acknowledged after progress was last
// saved are read once more. A process never appends to a segment of an earlier process.
// A record at the end of a segment that a crash cut short is reported as torn, and so is
// what a crash left of records that were not noted as synced: a disk may store the blocks of
// a write in any order. Progress is noted every second, so that real damage to a record of
// the last second before a crash looks the same. Everything is reported once, and known again
// by its copy in damaged.
package recordlog
