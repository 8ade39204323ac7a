package reading

import "bytes"

// needle is a text that is searched for in many lines. It looks for its rarest byte, because
// that is several times as fast as to look for a text that begins like many others.
type needle struct {
	text []byte
	rare int // the index of that byte
}

// maxMisses is how often the rarest byte may be found in a line without the rest of the text,
// before bytes.Index takes over.
const maxMisses = 24

// tune finds the byte of the text that is the rarest in a sample of the lines.
func (n *needle) tune(sample []byte) {
	least := len(sample) + 1
	for i := range n.text {
		if count := bytes.Count(sample, n.text[i:i+1]); count < least {
			least, n.rare = count, i
		}
	}
}

// index returns where the text stands in a line; -1 for nowhere.
func (n *needle) index(line []byte) int {
	at := n.rare
	for range maxMisses {
		if at >= len(line) {
			return -1
		}
		i := bytes.IndexByte(line[at:], n.text[n.rare])
		if i < 0 {
			return -1
		}
		at += i + 1
		if from := at - 1 - n.rare; bytes.HasPrefix(line[from:], n.text) {
			return from
		}
	}
	from := at - n.rare
	if i := bytes.Index(line[from:], n.text); i >= 0 {
		return from + i
	}
	return -1
}
