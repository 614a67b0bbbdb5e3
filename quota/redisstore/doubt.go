package redisstore

import "strings"

// maxDoubts bounds what is remembered of what was told.
const maxDoubts = 1000

// doubtAll tells what sync.lua did not believe: key, field and value of each, behind the answers to the requests.
func (s *Store) doubtAll(answer []string, requests int) {
	for _, text := range answer[min(head+requests, len(answer)):] {
		key, rest, _ := strings.Cut(text, "\x01")
		field, value, _ := strings.Cut(rest, "\x01")
		s.doubt(key, field, value)
	}
}

// doubt tells once that a value in the server is not believed.
func (s *Store) doubt(key, field, value string) {
	if field != "" {
		key += " " + strings.ReplaceAll(field, separator, " ")
	}
	s.mu.Lock()
	told := s.doubted[key] || len(s.doubted) >= maxDoubts
	if !told {
		s.doubted[key] = true
	}
	s.mu.Unlock()
	if !told && s.o.OnDoubt != nil {
		s.o.OnDoubt(strings.ToValidUTF8(key, "?"), strings.ToValidUTF8(value, "?"))
	}
}
