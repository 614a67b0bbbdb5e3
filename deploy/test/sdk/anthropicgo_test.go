package sdk

import (
	"context"
	"errors"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

func anthropicGo(ctx context.Context, e errand, s *sight) error {
	client := anthropic.NewClient(option.WithBaseURL(e.URL), option.WithAPIKey(e.Key))
	params := anthropic.MessageNewParams{
		Model: model, MaxTokens: 256,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(question))},
	}
	if !e.Stream {
		answer, err := client.Messages.New(ctx, params)
		if err != nil {
			return err
		}
		s.Text = answer.Content[0].Text
		return nil
	}
	stream := client.Messages.NewStreaming(ctx, params)
	for stream.Next() {
		s.Text += stream.Current().Delta.Text
		e.pause()
	}
	return stream.Err()
}

func describeAnthropicGo(err error, s *sight) {
	s.Class, s.Message = fmt.Sprintf("%T", err), err.Error()
	var refused *anthropic.Error
	if errors.As(err, &refused) {
		s.Class, s.Status = "*anthropic.Error", refused.StatusCode
		readEnvelope([]byte(refused.RawJSON()), s)
	}
}
