// The application of flask/app.py in Express. The page's lines come just before `app.listen`.
const express = require('express');

const app = express();
const router = express.Router({ strict: true });

router.get('/items/:number', (request, response) => {
  const path = `${request.baseUrl}/items/2`;
  response.json({
    client: request.ip,
    scheme: request.protocol,
    host: request.host,
    link: `${request.protocol}://${request.host}${path}`,
    path,
  });
});
// A directory of files: express.static redirects to its slash.
router.use('/dir', express.static(__dirname));
router.get('/go', (request, response) => response.redirect(`${request.baseUrl}/items/1`));
router.get('/form', (request, response) => response.send('a form'));
router.post('/form', (request, response) => response.redirect(303, `${request.baseUrl}/items/1`));

// SETTINGS
app.listen(8081, '127.0.0.1');
