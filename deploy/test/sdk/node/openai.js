// Shared by the two APIs of the SDK `openai`.
import OpenAI from 'openai';

export const client = (errand) => new OpenAI({ baseURL: `${errand.url}/v1`, apiKey: errand.key, defaultHeaders: errand.header });

export const describe = (error) => ({
  status: error.status,
  code: error.code,
  message: error.message,
  request_id: error.requestID,
});

export const classes = {
  spent: OpenAI.RateLimitError,
  'spent-stream': OpenAI.RateLimitError,
  'bad-input': OpenAI.BadRequestError,
  'wrong-key': OpenAI.AuthenticationError,
  operator: OpenAI.InternalServerError,
  'midstream-error': OpenAI.APIError,
  'midstream-cut': OpenAI.APIError,
};
