export { addRoutes } from './routes-commands.js';
