package memstore

import (
	"context"

	"github.com/neuronward/neuronward/quota"
)

// PutBatch implements quota.Store.
func (s *Store) PutBatch(ctx context.Context, b quota.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.state.day(b.Day); len(d.batches) >= quota.MaxBatches {
		return quota.ErrTooManyBatches
	}
	for day, d := range s.state.days {
		if day <= b.Day-quota.BatchDays && len(d.batches) > 0 {
			d.batches, d.saved = nil, nil
		}
	}
	return s.setBatch(b)
}

// Batch implements quota.Store.
func (s *Store) Batch(
	ctx context.Context, today quota.Day, id string, settle bool,
) (b quota.Batch, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return b, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for day := today; day > today-quota.BatchDays && !ok; day-- {
		if d := s.state.days[day]; d != nil {
			b, ok = d.batches[id]
			b.ID, b.Day = id, day
		}
	}
	if ok && settle && !b.Settled {
		settled := b
		settled.Settled = true
		err = s.setBatch(settled)
	}
	return b, ok, err
}

// setBatch puts b in place of what is there, durably or not at all.
func (s *Store) setBatch(b quota.Batch) error {
	d := s.state.day(b.Day)
	former, known := d.batches[b.ID]
	set := func(b quota.Batch, ok bool) {
		if d.saved = nil; !ok {
			delete(d.batches, b.ID)
			return
		}
		if d.batches == nil {
			d.batches = map[string]quota.Batch{}
		}
		d.batches[b.ID] = b
	}
	set(b, true)
	if err := s.keep(Urgent, s.state.saved); err != nil {
		former.ID = b.ID
		set(former, known)
		return err
	}
	s.state.prune()
	return nil
}
