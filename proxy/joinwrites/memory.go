package joinwrites

import "sync"

// blockSize is how much memory a large write takes: what may wait, and the record of TLS that comes last.
const blockSize = maxWaiting + 32<<10

var blocks = sync.Pool{ //nolint:gochecknoglobals // memory, which all connections share
	New: func() any { return new([blockSize]byte) },
}

func newBlock() []byte { return blocks.Get().(*[blockSize]byte)[:0] }

// freeBlock takes back what newBlock returned, and drops other memory.
func freeBlock(b []byte) {
	if cap(b) == blockSize {
		blocks.Put((*[blockSize]byte)(b[:blockSize]))
	}
}

// add appends to what waits. It takes a block for more than a connection keeps memory for: to grow would copy it again
// and again. c.mu is held.
func (c *joined) add(p []byte) {
	if size := len(c.waiting) + len(p); size > maxKept && cap(c.waiting) < blockSize && size <= blockSize {
		small := c.waiting
		c.waiting = append(newBlock(), small...)
		if c.spare == nil && small != nil {
			c.spare = small
		}
	}
	c.waiting = append(c.waiting, p...)
}
